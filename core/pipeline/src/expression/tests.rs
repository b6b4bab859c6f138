use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn eval(text: &str) -> Result<Value, String> {
    let params = json!({
        "stages": 5, "lr": 0.5, "name": "pdd", "on": true, "widths": [8, 16, 32], "train": {"epochs": 3},
        "big": u64::MAX,
    });
    let axes = [("k".to_owned(), json!(2)), ("lr".to_owned(), json!(0.25))];
    let scope = Scope { axes: &axes, params: params.as_object().unwrap(), broken: &HashSet::new() };
    parse(text)
        .and_then(|parsed| evaluate(&parsed, &scope))
        .map_err(|error| format!("{:?}: {}", text.get(error.range).unwrap(), error.message))
}

#[test]
fn expressions_have_values() {
    let cases = [
        ("1 + 2 * 3", json!(7)),
        ("(1 + 2) * 3", json!(9)),
        ("2 ** 3 ** 2", json!(512)),
        ("-2 ** 2", json!(-4)),
        ("2 ** -1", json!(0.5)),
        ("-k", json!(-2)),
        ("-0.5", json!(-0.5)),
        ("--3", json!(3)),
        ("7 / 2", json!(3.5)),
        ("6 / 2", json!(3.0)),
        ("7 // 2", json!(3)),
        ("-7 // 2", json!(-4)),
        ("7 // -2", json!(-4)),
        ("-7 % 3", json!(2)),
        ("7 % -3", json!(-2)),
        ("-7.5 // 2", json!(-4.0)),
        ("1 + 0.5", json!(1.5)),
        ("1e-3", json!(0.001)),
        ("'a' + \"b\"", json!("ab")),
        ("[1] + [2, 3,]", json!([1, 2, 3])),
        ("lr", json!(0.25)),
        ("train.epochs * k", json!(6)),
        ("widths[k - 1]", json!(16)),
        ("train['epochs']", json!(3)),
        ("if k == 1 then 'first' else if k == 2 then 'second' else 'later'", json!("second")),
        ("if on then 1 else 1 / 0", json!(1)),
        ("k > 1 and k <= stages or 1 / 0 == 1", json!(true)),
        ("not on || !on", json!(false)),
        ("not k == 3", json!(true)),
        ("1 == 1.0 && 1 != '1'", json!(true)),
        ("'abc' < 'abd'", json!(true)),
        ("16 in widths", json!(true)),
        ("'epochs' in train", json!(true)),
        ("'dd' in name", json!(true)),
        ("min(3, k, 5)", json!(2)),
        ("max(widths)", json!(32)),
        ("max(1, 2.5)", json!(2.5)),
        ("sum(widths)", json!(56)),
        ("abs(-3)", json!(3)),
        ("floor(2.7) + ceil(2.2) + round(2.5) + round(3.5)", json!(2 + 3 + 2 + 4)),
        ("int(4.0)", json!(4)),
        ("int('12') + 1", json!(13)),
        ("float(1)", json!(1.0)),
        ("str(k) + 'x'", json!("2x")),
        ("len(name) + len(widths) + len(train)", json!(7)),
        ("join(widths, '-')", json!("8-16-32")),
        ("sqrt(9)", json!(3.0)),
        ("big - 1", json!(u64::MAX - 1)),
        ("null == null", json!(true)),
        (r"'it\'s'", json!("it's")),
    ];
    for (text, expected) in cases {
        assert_eq!(eval(text), Ok(expected), "{text}");
    }
}

#[test]
fn wrong_expressions_say_where_and_what() {
    let cases = [
        ("", r#""": expected a value, but the expression ends"#),
        ("1 +", r#""": expected a value, but the expression ends"#),
        ("1 2", r#""2": expected an operator or the end of the expression, but found 2"#),
        ("(1", r#""": expected `)`, but the expression ends"#),
        ("if k then 1", r#""": expected `else`, but the expression ends"#),
        ("if k then 1 else 2", r#""k": a condition must be true or false, not an integer"#),
        ("1 < k < 3", r#""<": comparisons cannot be chained"#),
        ("'abc", r#""'abc": the string has no closing quote"#),
        (r"'\q'", r#""\\q": unknown escape `\q`"#),
        ("k @ 1", r#""@": unexpected character `@`"#),
        ("stage + 1", r#""stage": there is no parameter or axis `stage`"#),
        ("train.epoch", r#""train.epoch": there is no key `epoch`"#),
        ("k.epochs", r#""k": an integer has no keys"#),
        ("widths[3]", r#""widths[3]": index 3 is outside a list of 3 items"#),
        ("widths[-1]", r#""widths[-1]": index -1 is outside a list of 3 items"#),
        ("k[0]", r#""k[0]": an integer cannot be indexed with an integer"#),
        ("1 + name", r#""name": arithmetic needs numbers, not a string"#),
        ("1 / (k - 2)", r#""k - 2": division by zero"#),
        ("1 % 0", r#""0": division by zero"#),
        ("9223372036854775807 * 4", r#""9223372036854775807 * 4": the integer does not fit into 64 bits"#),
        ("10 ** 100", r#""10 ** 100": the integer does not fit into 64 bits"#),
        ("10.0 ** 1000", r#""10.0 ** 1000": the result is not a finite number"#),
        ("sqrt(-1)", r#""sqrt(-1)": the result is not a finite number"#),
        ("1 < 'a'", r#""1 < 'a'": an integer cannot be compared with a string"#),
        ("1 in 2", r#""1 in 2": an integer cannot be in an integer"#),
        ("min()", r#""min()": `min` of no numbers has no value"#),
        ("min('a')", r#""min('a')": `min` takes numbers or one list of numbers, not a string"#),
        ("int(2.5)", r#""int(2.5)": 2.5 is not an integer"#),
        ("int('x')", r#""int('x')": the string `x` is not a number"#),
        ("str(widths)", r#""str(widths)": a list cannot be converted to a string"#),
        ("join(widths)", r#""join(widths)": `join` takes a list and a string, not a list"#),
        ("99999999999999999999", r#""99999999999999999999": the number 99999999999999999999 is too large"#),
        ("then", r#""then": expected a value, but found `then`"#),
        ("k.1", r#""1": expected a key after `.`, but found 1"#),
    ];
    for (text, expected) in cases {
        assert_eq!(eval(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn deep_and_long_expressions_are_refused() {
    for deep in ["(", "[", "-", "not ", "if true then ", "min("] {
        assert!(parse(&deep.repeat(1_000)).is_err(), "{deep}");
    }
    let chain = vec!["1"; 1_024].join("+");
    assert_eq!(eval(&chain), Ok(json!(1_024)));
    assert!(parse(&vec!["1"; 1_026].join("+")).is_err());
}

#[test]
fn lists_cannot_grow_without_end() {
    let mut params = Map::new();
    params.insert("x".to_owned(), json!([1, 2, 3, 4, 5, 6, 7, 8]));
    let parsed = parse("[x, x, x, x, x, x, x, x]").unwrap();
    let grown = (0..20).try_for_each(|_| {
        let scope = Scope { axes: &[], params: &params, broken: &HashSet::new() };
        let value = evaluate(&parsed, &scope).map_err(|error| error.message)?;
        params.insert("x".to_owned(), value);
        Ok(())
    });
    assert_eq!(grown, Err("the value has more than 100000 items and bytes, or more than 48 levels".to_owned()));
}

proptest! {
    #[test]
    fn every_text_ends_in_a_value_or_an_error(text in r#"[a-z0-9 ()\[\].,+*/%<>=!&|'"{}$é-]{0,80}"#) {
        let _ = eval(&text);
    }

    #[test]
    fn words_and_operators_in_any_order_never_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "if", "then", "else", "k", "1", "2.5", "'a'", "+", "-", "**", "//", "%", "(", ")", "[", "]", ",", ".",
            "and", "not", "in", "==", "<", "min", "widths", "true",
        ]), 0..25),
    ) {
        let _ = eval(&parts.join(" "));
    }

    #[test]
    fn integer_division_and_remainder_agree(a in any::<i32>(), b in any::<i32>().prop_filter("zero", |b| *b != 0)) {
        let whole = eval(&format!("({a}) // ({b})")).unwrap().as_i64().unwrap();
        let rest = eval(&format!("({a}) % ({b})")).unwrap().as_i64().unwrap();
        prop_assert_eq!(whole * i64::from(b) + rest, i64::from(a));
        prop_assert!(rest == 0 || (rest < 0) == (b < 0));
        prop_assert!(rest.abs() < i64::from(b).abs());
    }
}
