"""BibTeX entries of the papers that the metrics come from."""

PSNR = """@article{huynhthu2008psnr,
  title = {Scope of validity of {PSNR} in image/video quality assessment},
  author = {Huynh-Thu, Quan and Ghanbari, Mohammed},
  journal = {Electronics Letters}, volume = {44}, number = {13}, pages = {800--801}, year = {2008}
}"""
SSIM = """@article{wang2004ssim,
  title = {Image quality assessment: from error visibility to structural similarity},
  author = {Wang, Zhou and Bovik, Alan C. and Sheikh, Hamid R. and Simoncelli, Eero P.},
  journal = {IEEE Transactions on Image Processing}, volume = {13}, number = {4}, pages = {600--612}, year = {2004}
}"""
LPIPS = """@inproceedings{zhang2018lpips,
  title = {The Unreasonable Effectiveness of Deep Features as a Perceptual Metric},
  author = {Zhang, Richard and Isola, Phillip and Efros, Alexei A. and Shechtman, Eli and Wang, Oliver},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition}, pages = {586--595}, year = {2018}
}"""
NIQE = """@article{mittal2013niqe,
  title = {Making a ``Completely Blind'' Image Quality Analyzer},
  author = {Mittal, Anish and Soundararajan, Rajiv and Bovik, Alan C.},
  journal = {IEEE Signal Processing Letters}, volume = {20}, number = {3}, pages = {209--212}, year = {2013}
}"""
MS_SSIM = """@inproceedings{wang2003msssim,
  title = {Multi-Scale Structural Similarity for Image Quality Assessment},
  author = {Wang, Zhou and Simoncelli, Eero P. and Bovik, Alan C.},
  booktitle = {Asilomar Conference on Signals, Systems and Computers}, pages = {1398--1402}, year = {2003}
}"""
DISTS = """@article{ding2022dists,
  title = {Image Quality Assessment: Unifying Structure and Texture Similarity},
  author = {Ding, Keyan and Ma, Kede and Wang, Shiqi and Simoncelli, Eero P.},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume = {44}, number = {5}, pages = {2567--2581}, year = {2022}
}"""
BRISQUE = """@article{mittal2012brisque,
  title = {No-Reference Image Quality Assessment in the Spatial Domain},
  author = {Mittal, Anish and Moorthy, Anush Krishna and Bovik, Alan Conrad},
  journal = {IEEE Transactions on Image Processing}, volume = {21}, number = {12}, pages = {4695--4708}, year = {2012}
}"""
KERNEL = """@inproceedings{binkowski2018kid,
  title = {Demystifying {MMD} {GANs}},
  author = {Binkowski, Mikolaj and Sutherland, Danica J. and Arbel, Michael and Gretton, Arthur},
  booktitle = {International Conference on Learning Representations}, year = {2018}
}
@article{gretton2012mmd,
  title = {A Kernel Two-Sample Test},
  author = {Gretton, Arthur and Borgwardt, Karsten M. and Rasch, Malte J. and Sch{\"o}lkopf, Bernhard and Smola, Alex},
  journal = {Journal of Machine Learning Research}, volume = {13}, pages = {723--773}, year = {2012}
}"""
PYIQA = """@misc{chen2022pyiqa,
  title = {{IQA-PyTorch}: {PyTorch} Toolbox for Image Quality Assessment},
  author = {Chen, Chaofeng and Mo, Jiadi}, howpublished = {github.com/chaofengc/IQA-PyTorch}, year = {2022}
}"""
