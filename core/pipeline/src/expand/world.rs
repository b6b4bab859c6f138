//! What all families share while they are resolved.

use std::collections::HashMap;

use crate::catalog::{Catalog, KindSpec};
use crate::diagnostic::problem::{Problem, Report};
use crate::document::declaration::Declaration;
use crate::document::keys::MISSING_KEY;
use crate::document::setting::Pools;
use crate::expand::family::Family;
use crate::expand::params::Params;
use crate::template::Budget;
use crate::text::suggest::suggest;

const UNKNOWN_KIND: &str = "pddflow::pipeline::unknown_kind";

/// What all families share while they are resolved.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) catalog: &'a dyn Catalog,
    pub(crate) params: &'a Params,
    pub(crate) budget: &'a Budget,
    pub(crate) declarations: &'a [Declaration],
    pub(crate) families: &'a [Family],
    /// Index of a family by its name.
    pub(crate) names: &'a HashMap<&'a str, usize>,
    /// The kind of each family, if it is known.
    pub(crate) kinds: &'a [Option<&'a KindSpec>],
    pub(crate) pools: &'a Pools,
}

/// Looks up the kind of each declaration.
pub(crate) fn kinds<'a>(
    report: &mut Report,
    catalog: &'a dyn Catalog,
    declarations: &[Declaration],
) -> Vec<Option<&'a KindSpec>> {
    let mut find = |declaration: &Declaration| {
        let known = || catalog.kinds().into_iter().map(|kind| kind.name.as_str());
        if declaration.kind_missing {
            let message = format!("the node `{}` has no `kind`", declaration.name);
            let help = format!("add `kind:`; {}", suggest("", "kinds", known()));
            report.add(Problem::new(MISSING_KEY, declaration.span, message).help(help));
        }
        let (name, span) = declaration.kind.as_ref()?;
        let kind = catalog.kind(name);
        if kind.is_none() {
            let help = suggest(name, "kinds", known());
            report.add(Problem::new(UNKNOWN_KIND, *span, format!("there is no kind `{name}`")).help(help));
        }
        kind
    };
    declarations.iter().map(&mut find).collect()
}
