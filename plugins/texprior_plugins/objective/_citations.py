"""Holds the BibTeX entries of the methods."""

EDM = """@inproceedings{karras2022edm,
  title = {Elucidating the Design Space of Diffusion-Based Generative Models},
  author = {Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {35},
  year = {2022},
  note = {arXiv:2206.00364}
}"""
MIN_SNR = """@inproceedings{hang2023minsnr,
  title = {Efficient Diffusion Training via Min-{SNR} Weighting Strategy},
  author = {Hang, Tiankai and Gu, Shuyang and Li, Chen and Bao, Jianmin and Chen, Dong and Hu, Han and Geng, Xin and
    Guo, Baining},
  booktitle = {International Conference on Computer Vision},
  year = {2023},
  note = {arXiv:2303.09556}
}"""
CHARBONNIER = """@inproceedings{charbonnier1994two,
  title = {Two Deterministic Half-Quadratic Regularization Algorithms for Computed Imaging},
  author = {Charbonnier, Pierre and Blanc-F{\\'e}raud, Laure and Aubert, Gilles and Barlaud, Michel},
  booktitle = {International Conference on Image Processing},
  volume = {2},
  pages = {168--172},
  year = {1994}
}"""
PERCEPTUAL = """@inproceedings{johnson2016perceptual,
  title = {Perceptual Losses for Real-Time Style Transfer and Super-Resolution},
  author = {Johnson, Justin and Alahi, Alexandre and Fei-Fei, Li},
  booktitle = {European Conference on Computer Vision},
  year = {2016},
  note = {arXiv:1603.08155}
}"""
GRADIENT = """@inproceedings{mathieu2016deep,
  title = {Deep Multi-Scale Video Prediction Beyond Mean Square Error},
  author = {Mathieu, Micha{\\"e}l and Couprie, Camille and LeCun, Yann},
  booktitle = {International Conference on Learning Representations},
  year = {2016},
  note = {arXiv:1511.05440}
}"""
ADVERSARIAL = """@inproceedings{isola2017pix2pix,
  title = {Image-to-Image Translation with Conditional Adversarial Networks},
  author = {Isola, Phillip and Zhu, Jun-Yan and Zhou, Tinghui and Efros, Alexei A.},
  booktitle = {Conference on Computer Vision and Pattern Recognition},
  year = {2017},
  note = {arXiv:1611.07004}
}
@article{lim2017geometric,
  title = {Geometric {GAN}},
  author = {Lim, Jae Hyun and Ye, Jong Chul},
  journal = {arXiv preprint arXiv:1705.02894},
  year = {2017}
}
@inproceedings{miyato2018spectral,
  title = {Spectral Normalization for Generative Adversarial Networks},
  author = {Miyato, Takeru and Kataoka, Toshiki and Koyama, Masanori and Yoshida, Yuichi},
  booktitle = {International Conference on Learning Representations},
  year = {2018},
  note = {arXiv:1802.05957}
}"""
