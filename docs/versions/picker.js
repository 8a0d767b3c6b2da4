// Lets the reader of a page choose another version of the site, if others lie beside it (docs/versions/build.py).
(() => {
  // this file is VERSION/versions/picker.js
  const root = new URL("../../", document.currentScript.src);
  const own = new URL("../", document.currentScript.src).pathname.split("/").at(-2);
  const list = document.createElement("script");
  list.src = new URL("versions.js", root).href;
  list.addEventListener("load", () => {
    const versions = window.texpriorVersions || [];
    if (!versions.includes(own)) return;
    const select = document.createElement("select");
    select.setAttribute("aria-label", "version of these pages");
    select.className = "form-select form-select-sm w-auto my-2 me-2";
    for (const version of versions) select.add(new Option(version, version, version === own, version === own));
    select.addEventListener("change", () => {
      location.href = new URL(`${encodeURIComponent(select.value)}/index.html`, root).href;
    });
    (document.querySelector(".navbar-collapse") || document.body).append(select);
  });
  document.head.append(list);
})();
