//! Mean and standard deviation of the pixels of well-known data sets.

/// Mean and standard deviation of each channel, of pixels in [0, 1], as papers and their scripts have them.
pub(crate) struct Published {
    pub(crate) name: &'static str,
    pub(crate) mean: &'static [f64],
    pub(crate) std: &'static [f64],
}

/// The table of `methods.md` 0.1. A source takes the entry of its name; others are for scripts that use other numbers.
pub(crate) const PUBLISHED: [Published; 8] = [
    Published { name: "mnist", mean: &[0.1307], std: &[0.3081] },
    Published { name: "fashion-mnist", mean: &[0.2861], std: &[0.3530] },
    Published { name: "svhn", mean: &[0.4377, 0.4438, 0.4728], std: &[0.1980, 0.2010, 0.1970] },
    Published { name: "cifar10", mean: &[0.4914, 0.4822, 0.4465], std: &[0.2023, 0.1994, 0.2010] },
    Published { name: "cifar100", mean: &[0.5071, 0.4866, 0.4409], std: &[0.2673, 0.2564, 0.2762] },
    Published { name: "cifar100-continual", mean: &[0.5071, 0.4866, 0.4409], std: &[0.2009, 0.1984, 0.2023] },
    Published { name: "tiny-imagenet", mean: &[0.485, 0.456, 0.406], std: &[0.229, 0.224, 0.225] },
    Published { name: "tiny-imagenet-idc", mean: &[0.4802, 0.4481, 0.3975], std: &[0.2302, 0.2265, 0.2262] },
];

/// The entry of that name.
pub(crate) fn published(name: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|published| published.name == name)
}
