"""The packages of strangers below this folder have tests of their own, which run where the package is installed."""

collect_ignore = ["api1"]
