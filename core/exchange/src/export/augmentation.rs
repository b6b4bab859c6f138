//! What an augmentation and CutMix do, with every parameter, for `README.md`.

use std::fmt::Write as _;

/// All kinds, in the order in which `dsa` and `idc` name them, and what each does to an image.
const KINDS: [(&str, &str); 6] = [
    (
        "color",
        "brightness: a number from -0.5 to 0.5 is added; then saturation: each pixel's distance from the mean of its channels is multiplied by 0 \
         to 2; then contrast: each value's distance from the mean of the image is multiplied by 0.5 to 1.5",
    ),
    (
        "crop",
        "moved by whole pixels, up to an eighth of the side (rounded, halves up) in each direction; zeros come in",
    ),
    ("cutout", "a square of half the side is set to 0 around a centre anywhere in the image, cut off at the edge"),
    ("flip", "mirrored left to right with probability 1/2"),
    (
        "scale",
        "both axes stretched by factors of their own from 1/1.2 to 1.2 about the centre, bilinear, zeros outside",
    ),
    ("rotate", "turned by -15 to 15 degrees about the centre, bilinear, zeros outside"),
];

/// How images are changed in each step.
pub(super) fn augmentation(policy: &str) -> String {
    let (family, listed) = policy.split_once(':').unwrap_or((policy, ""));
    let named: Vec<&str> = listed.split('_').collect();
    let kinds = KINDS.iter().filter(|(kind, _)| listed.is_empty() || named.contains(kind));
    let (how, grid) = match family {
        "dsa" => (
            "In each step **one** of these operations is drawn and applied to all images of the step, with parameters drawn for each image. \
             To apply all of them is the commonest mistake, and costs points of accuracy:",
            "centres of the outer pixels at -1 and 1 (`align_corners=True`)",
        ),
        "idc" => (
            "In each step these operations are applied one after the other, flip, color, **one** of crop, scale and rotate (drawn for the \
             step), cutout, as far as they are listed here, with parameters drawn for each image:",
            "edges of the image at -1 and 1 (`align_corners=False`)",
        ),
        _ => return "\nAugmentation: none. Images are trained on as they are.\n".to_owned(),
    };
    let mut text = format!("\nAugmentation `{policy}`. {how}\n\n");
    for (kind, what) in kinds {
        let _ = writeln!(text, "- {kind}: {what}");
    }
    let _ = writeln!(
        text,
        "\nNumbers are uniform in their intervals and act on the values that nets see, after preprocessing. Stretched and turned\n\
         images are sampled with {grid}."
    );
    text
}

/// What CutMix does in a share of the steps; nothing where it is not used.
pub(super) fn cutmix(share: f64) -> String {
    if share <= 0.0 {
        return "\nCutMix: none.\n".to_owned();
    }
    format!(
        "\nCutMix: with probability {share} in each step, after the augmentation. One box, the same for all images of the step, is taken from\n\
         a partner (a random order of the step's images) and pasted at the same place. Its sides are `sqrt(1 - lambda)` of the image's, with\n\
         lambda uniform from 0 to 1, around a uniform centre, cut off at the edge. The loss is that by the image's own label and that by its\n\
         partner's, weighted by the share of the area that each has.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_drawn_is_listed_and_one_operation_of_dsa() {
        let text = augmentation("dsa:crop_flip");
        assert!(text.contains("**one**") && text.contains("- crop:") && text.contains("- flip:"));
        assert!(!text.contains("- rotate:"), "{text}");
        assert_eq!(augmentation("dsa").matches("\n- ").count(), 6);
        assert!(augmentation("idc:flip_color_crop_cutout").contains("align_corners=False"));
        assert!(augmentation("none").contains("none"));
        assert!(cutmix(0.5).contains("probability 0.5") && cutmix(0.0).contains("none"));
    }
}
