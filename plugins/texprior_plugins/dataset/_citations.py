"""BibTeX of the data sets."""

CVPR = "IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)"

BUNDLED = """@article{vanderwalt2014scikit,
  author  = {van der Walt, St{\\'e}fan and Sch{\\"o}nberger, Johannes L. and Nunez-Iglesias, Juan and Boulogne,
             Fran{\\c{c}}ois and Warner, Joshua D. and Yager, Neil and Gouillart, Emmanuelle and Yu, Tony},
  title   = {scikit-image: image processing in {P}ython},
  journal = {PeerJ},
  volume  = {2},
  pages   = {e453},
  year    = {2014},
  doi     = {10.7717/peerj.453}
}
@article{pedregosa2011scikit,
  author  = {Pedregosa, Fabian and Varoquaux, Ga{\\"e}l and Gramfort, Alexandre and others},
  title   = {Scikit-learn: Machine Learning in {P}ython},
  journal = {Journal of Machine Learning Research},
  volume  = {12},
  pages   = {2825--2830},
  year    = {2011}
}
@inproceedings{scharstein2014high,
  author    = {Scharstein, Daniel and Hirschm{\\"u}ller, Heiko and Kitajima, York and Krathwohl, Greg and
               Ne{\\v{s}}i{\\'c}, Nera and Wang, Xi and Westling, Porter},
  title     = {High-Resolution Stereo Datasets with Subpixel-Accurate Ground Truth},
  booktitle = {German Conference on Pattern Recognition (GCPR)},
  pages     = {31--42},
  year      = {2014},
  doi       = {10.1007/978-3-319-11752-2_3}
}"""
DIV2K = """@inproceedings{agustsson2017ntire,
  author    = {Agustsson, Eirikur and Timofte, Radu},
  title     = {{NTIRE} 2017 Challenge on Single Image Super-Resolution: Dataset and Study},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition Workshops (CVPRW)},
  pages     = {1122--1131},
  year      = {2017}
}"""
FLICKR2K = """@inproceedings{lim2017enhanced,
  author    = {Lim, Bee and Son, Sanghyun and Kim, Heewon and Nah, Seungjun and Lee, Kyoung Mu},
  title     = {Enhanced Deep Residual Networks for Single Image Super-Resolution},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition Workshops (CVPRW)},
  pages     = {1132--1140},
  year      = {2017}
}
@inproceedings{timofte2017ntire,
  author    = {Timofte, Radu and Agustsson, Eirikur and Van Gool, Luc and Yang, Ming-Hsuan and Zhang, Lei and others},
  title     = {{NTIRE} 2017 Challenge on Single Image Super-Resolution: Methods and Results},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition Workshops (CVPRW)},
  pages     = {1110--1121},
  year      = {2017}
}"""
RAIN100 = f"""@inproceedings{{yang2017deep,
  author    = {{Yang, Wenhan and Tan, Robby T. and Feng, Jiashi and Liu, Jiaying and Guo, Zongming and Yan, Shuicheng}},
  title     = {{Deep Joint Rain Detection and Removal from a Single Image}},
  booktitle = {{{CVPR}}},
  pages     = {{1357--1366}},
  year      = {{2017}},
  doi       = {{10.1109/CVPR.2017.183}}
}}"""
OUTDOOR_RAIN = f"""@inproceedings{{li2019heavy,
  author    = {{Li, Ruoteng and Cheong, Loong-Fah and Tan, Robby T.}},
  title     = {{Heavy Rain Image Restoration: Integrating Physics Model and Conditional Adversarial Learning}},
  booktitle = {{{CVPR}}},
  pages     = {{1633--1642}},
  year      = {{2019}}
}}"""
RAINDROP = f"""@inproceedings{{qian2018attentive,
  author    = {{Qian, Rui and Tan, Robby T. and Yang, Wenhan and Su, Jiajun and Liu, Jiaying}},
  title     = {{Attentive Generative Adversarial Network for Raindrop Removal from a Single Image}},
  booktitle = {{{CVPR}}},
  pages     = {{2482--2491}},
  year      = {{2018}}
}}"""
SNOW100K = """@article{liu2018desnownet,
  author  = {Liu, Yun-Fu and Jaw, Da-Wei and Huang, Shih-Chia and Hwang, Jenq-Neng},
  title   = {{DesnowNet}: Context-Aware Deep Network for Snow Removal},
  journal = {IEEE Transactions on Image Processing},
  volume  = {27},
  number  = {6},
  pages   = {3064--3073},
  year    = {2018},
  doi     = {10.1109/TIP.2018.2806202}
}"""
RESIDE = """@article{li2019benchmarking,
  author  = {Li, Boyi and Ren, Wenqi and Fu, Dengpan and Tao, Dacheng and Feng, Dan and Zeng, Wenjun and
             Wang, Zhangyang},
  title   = {Benchmarking Single-Image Dehazing and Beyond},
  journal = {IEEE Transactions on Image Processing},
  volume  = {28},
  number  = {1},
  pages   = {492--505},
  year    = {2019},
  doi     = {10.1109/TIP.2018.2867951}
}"""
LOL = """@inproceedings{wei2018deep,
  author    = {Wei, Chen and Wang, Wenjing and Yang, Wenhan and Liu, Jiaying},
  title     = {Deep {Retinex} Decomposition for Low-Light Enhancement},
  booktitle = {British Machine Vision Conference (BMVC)},
  year      = {2018}
}"""
GOPRO = f"""@inproceedings{{nah2017deep,
  author    = {{Nah, Seungjun and Kim, Tae Hyun and Lee, Kyoung Mu}},
  title     = {{Deep Multi-Scale Convolutional Neural Network for Dynamic Scene Deblurring}},
  booktitle = {{{CVPR}}},
  pages     = {{257--265}},
  year      = {{2017}}
}}"""
DPDD = """@inproceedings{abuolaim2020defocus,
  author    = {Abuolaim, Abdullah and Brown, Michael S.},
  title     = {Defocus Deblurring Using Dual-Pixel Data},
  booktitle = {European Conference on Computer Vision (ECCV)},
  pages     = {111--126},
  year      = {2020}
}"""
SIDD = f"""@inproceedings{{abdelhamed2018high,
  author    = {{Abdelhamed, Abdelrahman and Lin, Stephen and Brown, Michael S.}},
  title     = {{A High-Quality Denoising Dataset for Smartphone Cameras}},
  booktitle = {{{CVPR}}},
  pages     = {{1692--1700}},
  year      = {{2018}}
}}"""
