//! Fashion-MNIST: the whole set with pinned content, and the small part that is inside the program.

use pddflow_artifact::failure::NodeResult;
use pddflow_cache::Digest;

use crate::idx::Content;
use crate::idx_set::{IdxSet, Pinned};
use crate::raw::RawData;

/// The digests were taken from files whose packed form has the MD5 that the authors publish.
pub(crate) const FASHION_MNIST: IdxSet = IdxSet {
    source: "fashion-mnist",
    title: "Fashion-MNIST",
    server: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    files: [
        Pinned {
            name: "train-images-idx3-ubyte",
            content: "b3:feaca08b36e07f8d504641a929bff1554884ef73964323e44e59e39a986b4c9e",
            packed_bytes: 26_421_880,
        },
        Pinned {
            name: "train-labels-idx1-ubyte",
            content: "b3:b4d9ea8013b029ef778c95ea7de31195ef443589877589523ad330db2829ebd6",
            packed_bytes: 29_515,
        },
        Pinned {
            name: "t10k-images-idx3-ubyte",
            content: "b3:a19b8c1e5f798e5a6fa7229093b630c04a620179497a1fa3a71e7334fb59a30b",
            packed_bytes: 4_422_102,
        },
        Pinned {
            name: "t10k-labels-idx1-ubyte",
            content: "b3:0a067399ed18bcc9d7dc26832b3b8e4481abf2d33fee04c611e90b9061296b90",
            packed_bytes: 5_148,
        },
    ],
    class_names: [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    package: Some("dataset-fashion-mnist"),
    license: "Fashion-MNIST, MIT License, Copyright (c) 2017 Zalando SE",
};

/// The part of Fashion-MNIST that is inside the program: 2,000 training and 500 test images.
const MINI: [(&str, &[u8]); 4] = [
    ("train images", include_bytes!("../fashion-mini/train-images-idx3-ubyte.gz")),
    ("train labels", include_bytes!("../fashion-mini/train-labels-idx1-ubyte.gz")),
    ("test images", include_bytes!("../fashion-mini/t10k-images-idx3-ubyte.gz")),
    ("test labels", include_bytes!("../fashion-mini/t10k-labels-idx1-ubyte.gz")),
];

/// Digests of its packed files.
pub(crate) fn mini_identity() -> Vec<String> {
    MINI.iter().map(|(_, bytes)| Digest::of(bytes).to_string()).collect()
}

/// Its images and labels.
pub(crate) fn read_mini() -> NodeResult<RawData> {
    let contents = MINI.iter().map(|(name, bytes)| Content::unpack(name, bytes));
    FASHION_MNIST.join(&contents.collect::<NodeResult<Vec<_>>>()?)
}
