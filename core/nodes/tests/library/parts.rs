//! Sets cut into parts that serve as the stages of a progressive training.

use pddflow_artifact::DistilledSet;

use crate::failure_of;
use crate::harness::Bench;

/// A set of two images per class in two parts, evaluated whole and part after part.
fn pipeline(matcher: &str, parts: usize) -> String {
    format!(
        r#"
format: 1
name: parts
nodes:
  data: {{ kind: dataset, with: {{ source: fashion-mini }} }}
  whole:
    kind: distill
    needs: {{ data: data }}
    with: {{ ipc: 2, iterations: 1, model: {{ convnet: {{ width: 4 }} }}, matcher: {{ {matcher} }} }}
  part:
    for: {{ k: 1..={parts} }}
    kind: split
    needs: {{ set: whole }}
    with: {{ parts: {parts}, part: "${{k}}" }}
  eval:
    kind: evaluate
    needs: {{ data: data, sets: "part[*]" }}
    with: {{ model: {{ convnet: {{ width: 4 }} }}, nets: 1, epochs: 2 }}
"#
    )
}

fn set(bench: &Bench, node: &str) -> DistilledSet {
    DistilledSet::decode(&bench.artifact(&format!("{node}.set"))).unwrap()
}

/// Images and labels of a set, a row each, sorted.
fn rows(set: &DistilledSet) -> Vec<(usize, Vec<u64>)> {
    let values = set.images.to_f64_vec().unwrap();
    let each = values.len() / set.rows();
    let bits = values.chunks(each).map(|row| row.iter().map(|value| value.to_bits()).collect());
    let mut rows: Vec<_> = set.hard_labels().unwrap().into_iter().zip(bits).collect();
    rows.sort();
    rows
}

#[test]
fn parts_are_the_whole_and_each_has_every_class() {
    // With a factor of 2 one stored image is decoded to four.
    for (matcher, decoded) in [("dm: { batch: 16 }", 1), ("idc: { factor: 2, inner: 1, batch: 16, samples: 64 }", 4)] {
        let bench = Bench::new();
        bench.run(&pipeline(matcher, 2)).unwrap();
        let (whole, parts) = (set(&bench, "whole"), [1, 2].map(|part| set(&bench, &format!("part[{part}]"))));
        let mut joined: Vec<_> = parts.iter().flat_map(rows).collect();
        joined.sort();
        assert_eq!(joined, rows(&whole), "{matcher}");
        for (part, number) in parts.iter().zip(1..) {
            assert_eq!((part.info.ipc, part.info.stage, part.rows()), (1, number, 10 * decoded), "{matcher}");
            assert_eq!(part.learnables["images"].shape()[0], 10, "{matcher}");
            let labels = part.hard_labels().unwrap();
            assert!(
                (0..10).all(|class| labels.iter().filter(|label| **label == class).count() == decoded),
                "{matcher}"
            );
        }
        // The decoded images of a part are those of its stored images: part 1 has the first of each class.
        let stored = whole.learnables["images"].to_f64_vec().unwrap();
        let each = stored.len() / 20;
        assert_eq!(parts[0].learnables["images"].to_f64_vec().unwrap()[..each], stored[..each], "{matcher}");
        assert_eq!(parts[1].learnables["images"].to_f64_vec().unwrap()[..each], stored[each..2 * each], "{matcher}");
        if decoded == 1 {
            assert_eq!(parts[1].images.to_f64_vec().unwrap(), parts[1].learnables["images"].to_f64_vec().unwrap());
        }
        assert_eq!(bench.results("eval").labels["sets"], 2);
    }
}

#[test]
fn a_set_is_cut_into_equal_parts_only() {
    let (code, text) = failure_of(&pipeline("dm: { batch: 16 }", 3));
    assert_eq!(code, "pddflow::nodes::set_parts", "{text}");
    assert!(text.contains("2 images per class") && text.contains("3 equal parts"), "{text}");
    let problems = Bench::new().problems(&pipeline("dm: {}", 2).replace("part: \"${k}\"", "part: 3"));
    assert!(problems.contains("there is no part 3 of 2"), "{problems}");
}
