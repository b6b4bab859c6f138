//! MNIST: 70,000 handwritten digits.

use crate::idx_set::{IdxSet, Pinned};

/// The checksums are those that the common libraries verify; the files are on the authors' server no more.
pub(crate) const MNIST: IdxSet = IdxSet {
    source: "mnist",
    title: "MNIST",
    server: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    files: [
        Pinned {
            name: "train-images-idx3-ubyte",
            content: "md5:6bbc9ace898e44ae57da46a324031adb",
            packed_bytes: 9_912_422,
        },
        Pinned {
            name: "train-labels-idx1-ubyte",
            content: "md5:a25bea736e30d166cdddb491f175f624",
            packed_bytes: 28_881,
        },
        Pinned {
            name: "t10k-images-idx3-ubyte",
            content: "md5:2646ac647ad5339dbf082846283269ea",
            packed_bytes: 1_648_877,
        },
        Pinned { name: "t10k-labels-idx1-ubyte", content: "md5:27ae3e4e09519cfbb04c329615203637", packed_bytes: 4_542 },
    ],
    class_names: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    package: None,
    license: "MNIST, CC BY-SA 3.0, Copyright Yann LeCun and Corinna Cortes",
};
