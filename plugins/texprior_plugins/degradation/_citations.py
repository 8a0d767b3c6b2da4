"""BibTeX of the models that the degradations follow."""

CVPR = "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)"

DEFOCUS = """@book{goodman2005fourier,
  author    = {Goodman, Joseph W.},
  title     = {Introduction to Fourier Optics},
  edition   = {3rd},
  publisher = {Roberts and Company},
  year      = {2005}
}"""
RAIN = """@article{garg2007vision,
  author  = {Garg, Kshitiz and Nayar, Shree K.},
  title   = {Vision and Rain},
  journal = {International Journal of Computer Vision},
  volume  = {75},
  number  = {1},
  pages   = {3--27},
  year    = {2007},
  doi     = {10.1007/s11263-006-0028-6}
}"""
HAZE = """@article{narasimhan2002vision,
  author  = {Narasimhan, Srinivasa G. and Nayar, Shree K.},
  title   = {Vision and the Atmosphere},
  journal = {International Journal of Computer Vision},
  volume  = {48},
  number  = {3},
  pages   = {233--254},
  year    = {2002},
  doi     = {10.1023/A:1016328200723}
}
@article{zhu2015fast,
  author  = {Zhu, Qingsong and Mai, Jiaming and Shao, Ling},
  title   = {A Fast Single Image Haze Removal Algorithm Using Color Attenuation Prior},
  journal = {IEEE Transactions on Image Processing},
  volume  = {24},
  number  = {11},
  pages   = {3522--3533},
  year    = {2015},
  doi     = {10.1109/TIP.2015.2446191}
}"""
OUTDOOR_RAIN = f"""@inproceedings{{li2019heavy,
  author    = {{Li, Ruoteng and Cheong, Loong-Fah and Tan, Robby T.}},
  title     = {{Heavy Rain Image Restoration: Integrating Physics Model and Conditional Adversarial Learning}},
  booktitle = {{{CVPR}}},
  pages     = {{1633--1642}},
  year      = {{2019}}
}}"""
SNOW = """@article{liu2018desnownet,
  author  = {Liu, Yun-Fu and Jaw, Da-Wei and Huang, Shih-Chia and Hwang, Jenq-Neng},
  title   = {{DesnowNet}: Context-Aware Deep Network for Snow Removal},
  journal = {IEEE Transactions on Image Processing},
  volume  = {27},
  number  = {6},
  pages   = {3064--3073},
  year    = {2018},
  doi     = {10.1109/TIP.2018.2806202}
}"""
RAINDROP = f"""@inproceedings{{roser2010realistic,
  author    = {{Roser, Martin and Kurz, Julian and Geiger, Andreas}},
  title     = {{Realistic Modeling of Water Droplets for Monocular Adherent Raindrop Recognition Using {{B\\'e}}zier
               Curves}},
  booktitle = {{Computer Vision -- ACCV 2010 Workshops}},
  pages     = {{235--244}},
  year      = {{2010}}
}}
@inproceedings{{qian2018attentive,
  author    = {{Qian, Rui and Tan, Robby T. and Yang, Wenhan and Su, Jiajun and Liu, Jiaying}},
  title     = {{Attentive Generative Adversarial Network for Raindrop Removal from a Single Image}},
  booktitle = {{{CVPR}}},
  pages     = {{2482--2491}},
  year      = {{2018}}
}}"""
NOISE = """@article{foi2008practical,
  author  = {Foi, Alessandro and Trimeche, Mejdi and Katkovnik, Vladimir and Egiazarian, Karen},
  title   = {Practical {P}oissonian-{G}aussian Noise Modeling and Fitting for Single-Image Raw-Data},
  journal = {IEEE Transactions on Image Processing},
  volume  = {17},
  number  = {10},
  pages   = {1737--1754},
  year    = {2008},
  doi     = {10.1109/TIP.2008.2001399}
}"""
UNPROCESSING = f"""@inproceedings{{brooks2019unprocessing,
  author    = {{Brooks, Tim and Mildenhall, Ben and Xue, Tianfan and Chen, Jiawen and Sharlet, Dillon and
               Barron, Jonathan T.}},
  title     = {{Unprocessing Images for Learned Raw Denoising}},
  booktitle = {{{CVPR}}},
  pages     = {{11036--11045}},
  year      = {{2019}}
}}"""
MOTION = f"""@article{{boracchi2012modeling,
  author  = {{Boracchi, Giacomo and Foi, Alessandro}},
  title   = {{Modeling the Performance of Image Restoration from Motion Blur}},
  journal = {{IEEE Transactions on Image Processing}},
  volume  = {{21}},
  number  = {{8}},
  pages   = {{3502--3517}},
  year    = {{2012}},
  doi     = {{10.1109/TIP.2012.2192126}}
}}
@inproceedings{{kupyn2018deblurgan,
  author    = {{Kupyn, Orest and Budzan, Volodymyr and Mykhailych, Mykola and Mishkin, Dmytro and Matas, Jiri}},
  title     = {{{{DeblurGAN}}: Blind Motion Deblurring Using Conditional Adversarial Networks}},
  booktitle = {{{CVPR}}},
  pages     = {{8183--8192}},
  year      = {{2018}}
}}"""
JPEG = """@article{wallace1992jpeg,
  author  = {Wallace, Gregory K.},
  title   = {The {JPEG} Still Picture Compression Standard},
  journal = {IEEE Transactions on Consumer Electronics},
  volume  = {38},
  number  = {1},
  pages   = {xviii--xxxiv},
  year    = {1992},
  doi     = {10.1109/30.125072}
}"""
RESIZE = """@article{keys1981cubic,
  author  = {Keys, Robert G.},
  title   = {Cubic Convolution Interpolation for Digital Image Processing},
  journal = {IEEE Transactions on Acoustics, Speech, and Signal Processing},
  volume  = {29},
  number  = {6},
  pages   = {1153--1160},
  year    = {1981},
  doi     = {10.1109/TASSP.1981.1163711}
}"""
REAL_ESRGAN = """@inproceedings{wang2021real,
  author    = {Wang, Xintao and Xie, Liangbin and Dong, Chao and Shan, Ying},
  title     = {{Real-ESRGAN}: Training Real-World Blind Super-Resolution with Pure Synthetic Data},
  booktitle = {IEEE/CVF International Conference on Computer Vision Workshops (ICCVW)},
  pages     = {1905--1914},
  year      = {2021}
}"""
ALBUMENTATIONS = """@article{buslaev2020albumentations,
  author  = {Buslaev, Alexander and Iglovikov, Vladimir I. and Khvedchenya, Eugene and Parinov, Alex and
             Druzhinin, Mikhail and Kalinin, Alexandr A.},
  title   = {Albumentations: Fast and Flexible Image Augmentations},
  journal = {Information},
  volume  = {11},
  number  = {2},
  pages   = {125},
  year    = {2020},
  doi     = {10.3390/info11020125}
}"""
