"""BibTeX of what each decomposition is taken from."""

BILATERAL = """@inproceedings{tomasi1998bilateral,
  author    = {Tomasi, Carlo and Manduchi, Roberto},
  title     = {Bilateral Filtering for Gray and Color Images},
  booktitle = {International Conference on Computer Vision (ICCV)},
  pages     = {839--846},
  year      = {1998},
  doi       = {10.1109/ICCV.1998.710815}
}"""

DOMAIN_TRANSFORM = """@article{gastal2011domain,
  author  = {Gastal, Eduardo S. L. and Oliveira, Manuel M.},
  title   = {Domain Transform for Edge-Aware Image and Video Processing},
  journal = {ACM Transactions on Graphics (Proc. SIGGRAPH)},
  volume  = {30},
  number  = {4},
  pages   = {69:1--69:12},
  year    = {2011},
  doi     = {10.1145/2010324.1964964}
}"""

GAUSSIAN = """@article{koenderink1984structure,
  author  = {Koenderink, Jan J.},
  title   = {The Structure of Images},
  journal = {Biological Cybernetics},
  volume  = {50},
  pages   = {363--370},
  year    = {1984},
  doi     = {10.1007/BF00336961}
}"""

GUIDED = """@inproceedings{he2010guided,
  author    = {He, Kaiming and Sun, Jian and Tang, Xiaoou},
  title     = {Guided Image Filtering},
  booktitle = {European Conference on Computer Vision (ECCV)},
  pages     = {1--14},
  year      = {2010},
  doi       = {10.1007/978-3-642-15549-9_1}
}"""

L0 = """@article{xu2011l0,
  author  = {Xu, Li and Lu, Cewu and Xu, Yi and Jia, Jiaya},
  title   = {Image Smoothing via {$L_0$} Gradient Minimization},
  journal = {ACM Transactions on Graphics (Proc. SIGGRAPH Asia)},
  volume  = {30},
  number  = {6},
  pages   = {174:1--174:12},
  year    = {2011},
  doi     = {10.1145/2070781.2024208}
}"""

LAPLACIAN = """@article{burt1983laplacian,
  author  = {Burt, Peter J. and Adelson, Edward H.},
  title   = {The {Laplacian} Pyramid as a Compact Image Code},
  journal = {IEEE Transactions on Communications},
  volume  = {31},
  number  = {4},
  pages   = {532--540},
  year    = {1983},
  doi     = {10.1109/TCOM.1983.1095851}
}"""

ROLLING_GUIDANCE = """@inproceedings{zhang2014rolling,
  author    = {Zhang, Qi and Shen, Xiaoyong and Xu, Li and Jia, Jiaya},
  title     = {Rolling Guidance Filter},
  booktitle = {European Conference on Computer Vision (ECCV)},
  pages     = {815--830},
  year      = {2014},
  doi       = {10.1007/978-3-319-10578-9_53}
}"""

RTV = """@article{xu2012rtv,
  author  = {Xu, Li and Yan, Qiong and Xia, Yang and Jia, Jiaya},
  title   = {Structure Extraction from Texture via Relative Total Variation},
  journal = {ACM Transactions on Graphics (Proc. SIGGRAPH Asia)},
  volume  = {31},
  number  = {6},
  pages   = {139:1--139:10},
  year    = {2012},
  doi     = {10.1145/2366145.2366158}
}"""

TV = """@article{rudin1992tv,
  author  = {Rudin, Leonid I. and Osher, Stanley and Fatemi, Emad},
  title   = {Nonlinear Total Variation Based Noise Removal Algorithms},
  journal = {Physica D},
  volume  = {60},
  pages   = {259--268},
  year    = {1992},
  doi     = {10.1016/0167-2789(92)90242-F}
}
@article{chambolle2004tv,
  author  = {Chambolle, Antonin},
  title   = {An Algorithm for Total Variation Minimization and Applications},
  journal = {Journal of Mathematical Imaging and Vision},
  volume  = {20},
  pages   = {89--97},
  year    = {2004},
  doi     = {10.1023/B:JMIV.0000011325.36760.1e}
}"""

WAVELET = """@article{daubechies1988wavelets,
  author  = {Daubechies, Ingrid},
  title   = {Orthonormal Bases of Compactly Supported Wavelets},
  journal = {Communications on Pure and Applied Mathematics},
  volume  = {41},
  number  = {7},
  pages   = {909--996},
  year    = {1988},
  doi     = {10.1002/cpa.3160410705}
}"""

WLS = """@article{farbman2008wls,
  author  = {Farbman, Zeev and Fattal, Raanan and Lischinski, Dani and Szeliski, Richard},
  title   = {Edge-Preserving Decompositions for Multi-Scale Tone and Detail Manipulation},
  journal = {ACM Transactions on Graphics (Proc. SIGGRAPH)},
  volume  = {27},
  number  = {3},
  pages   = {67:1--67:10},
  year    = {2008},
  doi     = {10.1145/1360612.1360666}
}"""
