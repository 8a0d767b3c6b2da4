"""BibTeX entries of the papers that the adapters come from."""

CVPR = "IEEE/CVF Conference on Computer Vision and Pattern Recognition"

CGA = f"""@inproceedings{{ye2024dtpm,
  title={{Learning Diffusion Texture Priors for Image Restoration}},
  author={{Ye, Tian and Chen, Sixiang and Chai, Wenhao and Xing, Zhaohu and Qin, Jing and Lin, Ge and Zhu, Lei}},
  booktitle={{{CVPR}}},
  year={{2024}}
}}"""
SFT = f"""@inproceedings{{wang2018sftgan,
  title={{Recovering Realistic Texture in Image Super-resolution by Deep Spatial Feature Transform}},
  author={{Wang, Xintao and Yu, Ke and Dong, Chao and Loy, Chen Change}},
  booktitle={{{CVPR}}},
  year={{2018}}
}}"""
FILM = """@inproceedings{perez2018film,
  title={{FiLM}: Visual Reasoning with a General Conditioning Layer},
  author={Perez, Ethan and Strub, Florian and de Vries, Harm and Dumoulin, Vincent and Courville, Aaron},
  booktitle={AAAI Conference on Artificial Intelligence},
  year={2018}
}"""
SPADE = f"""@inproceedings{{park2019spade,
  title={{Semantic Image Synthesis with Spatially-Adaptive Normalization}},
  author={{Park, Taesung and Liu, Ming-Yu and Wang, Ting-Chun and Zhu, Jun-Yan}},
  booktitle={{{CVPR}}},
  year={{2019}}
}}"""
CONTROLNET = """@inproceedings{zhang2023controlnet,
  title={Adding Conditional Control to Text-to-Image Diffusion Models},
  author={Zhang, Lvmin and Rao, Anyi and Agrawala, Maneesh},
  booktitle={IEEE/CVF International Conference on Computer Vision},
  year={2023}
}"""
T2I = """@inproceedings{mou2024t2iadapter,
  title={{T2I-Adapter}: Learning Adapters to Dig Out More Controllable Ability for Text-to-Image Diffusion Models},
  author={Mou, Chong and Wang, Xintao and Xie, Liangbin and Wu, Yanze and Zhang, Jian and Qi, Zhongang and Shan, Ying},
  booktitle={AAAI Conference on Artificial Intelligence},
  year={2024}
}"""
LORA = """@inproceedings{hu2022lora,
  title={{LoRA}: Low-Rank Adaptation of Large Language Models},
  author={Hu, Edward J. and Shen, Yelong and Wallis, Phillip and Allen-Zhu, Zeyuan and Li, Yuanzhi and Wang, Shean
    and Wang, Lu and Chen, Weizhu},
  booktitle={International Conference on Learning Representations},
  year={2022}
}

@inproceedings{liu2024dora,
  title={{DoRA}: Weight-Decomposed Low-Rank Adaptation},
  author={Liu, Shih-Yang and Wang, Chien-Yi and Yin, Hongxu and Molchanov, Pavlo and Wang, Yu-Chiang Frank and
    Cheng, Kwang-Ting and Chen, Min-Hung},
  booktitle={International Conference on Machine Learning},
  year={2024}
}"""
IA3 = """@inproceedings{liu2022tfew,
  title={Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning},
  author={Liu, Haokun and Tam, Derek and Muqeeth, Mohammed and Mohta, Jay and Huang, Tenghao and Bansal, Mohit and
    Raffel, Colin},
  booktitle={Advances in Neural Information Processing Systems},
  year={2022}
}"""
BITFIT = """@inproceedings{benzaken2022bitfit,
  title={{BitFit}: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models},
  author={Ben Zaken, Elad and Goldberg, Yoav and Ravfogel, Shauli},
  booktitle={Annual Meeting of the Association for Computational Linguistics},
  year={2022}
}"""
