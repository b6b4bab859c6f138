//! The module graph of a crate: which file names items of which other, without tests.
//!
//! Read from tokens, with the lexer of `proc_macro2`: `use` items, and paths in code that begin with `crate`, `self`,
//! `super` or a child module. A name that a module only hands on (`pub use`) leads to where it is defined.

use super::list;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Names from the root of the crate down.
pub(super) type Names = Vec<String>;

/// Words behind which an item's name stands.
const DEFINING: [&str; 9] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"];
/// Words that an item may begin with.
const BEGINS_ITEM: [&str; 14] = [
    "pub", "mod", "use", "fn", "struct", "enum", "union", "trait", "type", "const", "static", "impl", "unsafe",
    "extern",
];

/// The modules of a crate by their path, one for each file.
pub(super) type Modules = BTreeMap<Names, Module>;

/// One file.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) file: PathBuf,
    /// Its lines before the tests at its end.
    pub(super) lines: usize,
    /// What `use` items bring into it: the name here, the path as written, and whether the name is handed on.
    uses: Vec<Use>,
    /// Paths in its code, as written.
    paths: BTreeSet<Names>,
    defined: BTreeSet<String>,
    /// Every word of its code outside `use` items.
    words: BTreeSet<String>,
    children: Vec<String>,
}

#[derive(Debug)]
struct Use {
    name: String,
    path: Names,
    handed_on: bool,
}

/// The root files of a package's library and programs.
pub(super) fn roots(package: &Value) -> Vec<PathBuf> {
    let kinds = ["lib", "rlib", "cdylib", "bin"];
    let targets = list(&package["targets"]).iter();
    let built =
        targets.filter(|target| list(&target["kind"]).iter().any(|kind| kinds.iter().any(|built| kind == built)));
    built.filter_map(|target| target["src_path"].as_str()).map(PathBuf::from).collect()
}

/// The modules of the crate with this root file.
pub(super) fn read(root: &Path) -> Modules {
    let mut modules = Modules::new();
    let mut left = vec![(Names::new(), root.to_path_buf())];
    while let Some((path, file)) = left.pop() {
        let text = fs_err::read_to_string(&file).unwrap();
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut module = Module { file: file.clone(), lines: lines_before_tests(&text), ..Module::default() };
        module.scan(tokens);
        let own_folder = path.is_empty() || file.ends_with("mod.rs");
        let folder = if own_folder { file.parent().unwrap().to_path_buf() } else { file.with_extension("") };
        for child in &module.children {
            let beside = folder.join(format!("{child}.rs"));
            let file = if beside.is_file() { beside } else { folder.join(child).join("mod.rs") };
            left.push((below(&path, child), file));
        }
        modules.insert(path, module);
    }
    modules
}

fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    tests.unwrap_or(lines.len())
}

fn below(path: &[String], name: &str) -> Names {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

impl Module {
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = self.scan_one(&tokens, at);
        }
    }

    /// Takes in what begins at a token; gives the place behind it.
    fn scan_one(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        match &tokens[at] {
            TokenTree::Punct(mark) if mark.as_char() == '#' && is_test(tokens.get(at + 1)) => skip_item(tokens, at + 2),
            TokenTree::Group(group) => {
                self.scan(group.stream());
                at + 1
            }
            TokenTree::Ident(word) => {
                let word = word.to_string();
                match (word.as_str(), tokens.get(at + 1), tokens.get(at + 2)) {
                    ("use", ..) => self.scan_use(tokens, at),
                    ("mod", Some(TokenTree::Ident(name)), Some(TokenTree::Punct(_))) => {
                        self.children.push(name.to_string());
                        at + 3
                    }
                    (keyword, next, _) if DEFINING.contains(&keyword) => {
                        let name = next.filter(|next| matches!(next, TokenTree::Ident(_))).or(tokens.get(at + 2));
                        self.defined.extend(name.map(ToString::to_string));
                        at + 1
                    }
                    _ => {
                        let (path, end) = path_at(tokens, at);
                        self.words.insert(word);
                        if path.len() > 1 {
                            self.paths.insert(path);
                        }
                        end
                    }
                }
            }
            _ => at + 1,
        }
    }

    /// Whether the code has these words, joined by `::`, at the end of a path.
    pub(super) fn names(&self, code: &str) -> bool {
        let code: Names = code.split("::").map(str::to_owned).collect();
        let paths = self.paths.iter().chain(self.uses.iter().map(|one| &one.path));
        let single = code.len() == 1 && self.words.contains(&code[0]);
        single || paths.into_iter().any(|path| path.ends_with(&code))
    }

    fn scan_use(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let end = (at..tokens.len()).find(|end| is_mark(&tokens[*end], ';')).unwrap_or(tokens.len());
        let handed_on = at.checked_sub(1).is_some_and(|before| match &tokens[before] {
            TokenTree::Ident(word) => word == "pub",
            TokenTree::Group(group) => group.delimiter() == Delimiter::Parenthesis,
            _ => false,
        });
        self.use_tree(&[], &tokens[at + 1..end], handed_on);
        end + 1
    }

    fn use_tree(&mut self, prefix: &[String], tokens: &[TokenTree], handed_on: bool) {
        let mut path = prefix.to_vec();
        let mut name = None;
        for token in tokens {
            match token {
                TokenTree::Ident(word) if word == "as" => name = Some(String::new()),
                TokenTree::Ident(word) if name.is_some() => name = Some(word.to_string()),
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(mark) if mark.as_char() == '*' => path.push("*".to_owned()),
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    inner.split(|token| is_mark(token, ',')).for_each(|one| self.use_tree(&path, one, handed_on));
                    return;
                }
                _ => {}
            }
        }
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if let Some(name) = name.or_else(|| path.last().cloned()) {
            self.uses.push(Use { name, path, handed_on });
        }
    }
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

/// Whether the brackets of an attribute say that what follows is only for tests.
fn is_test(attribute: Option<&TokenTree>) -> bool {
    let text = attribute.map(|group| group.to_string().replace(char::is_whitespace, "")).unwrap_or_default();
    text == "[cfg(test)]" || text.starts_with("[cfg(all(test,")
}

/// The place behind the item, field or arm that begins at a token.
fn skip_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|token| is_mark(token, '#')) {
        at += 2;
    }
    let item = tokens.get(at).is_some_and(|token| BEGINS_ITEM.contains(&token.to_string().as_str()));
    let braces = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let uses = tokens[at..].iter().take(3).any(|token| token.to_string() == "use");
    let ends =
        |token: &TokenTree| is_mark(token, ';') || if item { !uses && braces(token) } else { is_mark(token, ',') };
    tokens[at..].iter().position(ends).map_or(tokens.len(), |end| at + end + 1)
}

/// The words that `::` joins, from a token on, and the place behind them.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (Names, usize) {
    let mut path = vec![tokens[at].to_string()];
    while let [colon, second, TokenTree::Ident(word), ..] = &tokens[at + 1..]
        && is_mark(colon, ':')
        && is_mark(second, ':')
    {
        path.push(word.to_string());
        at += 3;
    }
    (path, at + 1)
}

/// For each module the modules whose items it names, with those names.
pub(super) fn arrows(modules: &Modules) -> BTreeMap<&Names, BTreeMap<&Names, BTreeSet<String>>> {
    let mut arrows: BTreeMap<&Names, BTreeMap<&Names, BTreeSet<String>>> = BTreeMap::new();
    for (from, module) in modules {
        // What is handed on and not used here ties nothing.
        let used = module.uses.iter().filter(|one| !one.handed_on || module.words.contains(&one.name));
        for path in used.map(|one| &one.path).chain(&module.paths) {
            if let Some((to, name)) = resolve(modules, from, path, 0)
                && to != from
            {
                arrows.entry(from).or_default().entry(to).or_default().insert(name);
            }
        }
    }
    arrows
}

/// More steps than any name takes to where it is defined: the end of a loop of `use` items.
const MOST_STEPS: usize = 16;

/// The module that defines what a path names in a module, and the name there. None for what is not of this crate.
fn resolve<'a>(modules: &'a Modules, from: &[String], path: &[String], step: usize) -> Option<(&'a Names, String)> {
    let (first, mut rest) = path.split_first()?;
    let mut place = match first.as_str() {
        "crate" => Names::new(),
        "self" => from.to_vec(),
        "super" => from.split_last()?.1.to_vec(),
        child => {
            let child = below(from, child);
            modules.contains_key(&child).then_some(child)?
        }
    };
    while let [next, after @ ..] = rest {
        let child = below(&place, next);
        if next == "super" {
            place.pop();
        } else if modules.contains_key(&child) {
            place = child;
        } else {
            break;
        }
        rest = after;
    }
    let (place, module) = modules.get_key_value(&place)?;
    let Some(item) = rest.first() else { return Some((place, "the module".to_owned())) };
    if step < MOST_STEPS && !module.defined.contains(item) {
        let named = module.uses.iter().filter(|one| one.name == *item && item != "*");
        let found = named.filter_map(|one| resolve(modules, place, &one.path, step + 1)).next();
        let globs = module.uses.iter().filter(|one| one.name == "*").filter_map(|one| {
            let path: Names = one.path.iter().filter(|part| *part != "*").chain([item]).cloned().collect();
            let found = resolve(modules, place, &path, step + 1)?;
            modules[found.0].defined.contains(item).then_some(found)
        });
        if let Some(found) = found.or_else(|| globs.into_iter().next()) {
            return Some(found);
        }
    }
    Some((place, item.clone()))
}
