//! Which of the data's classes those of a file are.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::file_stem;
use pddflow_artifact::params::suggestion;

/// For each class of a file, in the order of its labels, its number in the data.
///
/// A name in a file may be that of the data, its form in file names, or either after the number that exports put before it.
///
/// # Errors
/// The file has other classes than the data, or one twice.
pub(super) fn numbers_in_data(names: &[String], data: &[String]) -> NodeResult<Vec<usize>> {
    if names.len() != data.len() {
        let message = format!("the file has {} classes ({}), the data {}", names.len(), some(names), data.len());
        return Err(fail("import_classes", message).with_help(
            "wire the data that the set was made from; `classes:` of a `dataset` node takes a part of them",
        ));
    }
    let mut numbers = Vec::with_capacity(names.len());
    for name in names {
        let Some(number) = find(name, data) else {
            let known: Vec<&str> = data.iter().map(String::as_str).collect();
            let message = format!("the file has the class `{name}`, which the data does not have");
            return Err(fail("import_classes", message).with_help(format!(
                "{}; wire the data that the set was made from, or give their names in `classes:`",
                suggestion(name, &known)
            )));
        };
        if numbers.contains(&number) {
            let message = format!("the file has the class `{}` twice", data[number]);
            return Err(fail("import_classes", message).with_help("each class has one name, or one folder"));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

fn find(name: &str, data: &[String]) -> Option<usize> {
    let after_number = name.split_once('-').filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    let forms = [Some(name), after_number.map(|(_, rest)| rest)];
    let same = |form: &str| data.iter().position(|known| known == form || file_stem(known) == form);
    forms.into_iter().flatten().find_map(same)
}

fn some(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().map(String::as_str).take(5).collect();
    let rest = if names.len() > shown.len() { ", ..." } else { "" };
    format!("{}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_decide_and_not_places() {
        let data = names(&["T-shirt/top", "Bag", "Ankle boot"]);
        assert_eq!(numbers_in_data(&names(&["Bag", "Ankle boot", "T-shirt/top"]), &data).unwrap(), [1, 2, 0]);
        assert_eq!(numbers_in_data(&names(&["000-T-shirt-top", "001-Bag", "Ankle-boot"]), &data).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn other_classes_are_named() {
        let data = names(&["cat", "dog"]);
        let refused = |list: &[&str], what: &str| {
            let error = numbers_in_data(&names(list), &data).unwrap_err();
            assert!(error.message.contains(what) && error.help.is_some(), "{}", error.message);
        };
        refused(&["cat", "frog"], "`frog`");
        refused(&["cat", "cat"], "twice");
        refused(&["cat"], "1 classes (cat), the data 2");
    }
}
