//! The pickles inside of `torch.save`'s files, without running anything.
//!
//! A pickle is a program that makes objects by calling functions that it names. Here it may name what tensors, lists and
//! dictionaries need, and nothing else: anything else is told to the user by its name and is not looked for. Of the instructions
//! those are known that such files hold (protocols 2 to 5).
//!
//! Values lie in one arena and refer to each other by place, so that a list inside of itself costs nothing; what comes out is
//! a tree, which has limits on depth and size.

use std::collections::BTreeMap;

use super::array::{Array, Number};
use super::tree::Foreign;

/// Values of a file; the weights of 10 nets of 14 tensors at 51 epochs are 8,000.
const MOST_VALUES: usize = 4_000_000;
/// How deep lists and dictionaries may be inside of each other.
const MOST_DEPTH: usize = 32;

/// Where a tensor's numbers are: what `torch.save` gives as a persistent id.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    pub(super) number: Number,
    /// Name of the file inside of the archive.
    pub(super) key: String,
    /// How many numbers it has.
    pub(super) count: usize,
}

/// A tensor over a storage.
pub(super) struct View<'a> {
    pub(super) storage: &'a Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) steps: Vec<usize>,
}

/// Reads the storages of tensors.
pub(super) type Tensors<'a> = &'a mut dyn FnMut(&View<'_>) -> Result<Array, String>;

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Tensor,
    Parameter,
    Dictionary,
    Size,
    Storage(Number),
    NumpyScalar,
    NumpyType,
    Encode,
}

fn known(module: &str, name: &str) -> Option<Known> {
    Some(match (module, name) {
        ("torch._utils", "_rebuild_tensor_v2") => Known::Tensor,
        ("torch._utils", "_rebuild_parameter") => Known::Parameter,
        ("collections", "OrderedDict") => Known::Dictionary,
        ("torch", "Size") => Known::Size,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Known::NumpyScalar,
        ("numpy", "dtype") => Known::NumpyType,
        ("_codecs", "encode") => Known::Encode,
        ("torch", storage) => Known::Storage(match storage {
            "FloatStorage" => Number::F32,
            "DoubleStorage" => Number::F64,
            "HalfStorage" => Number::F16,
            "BFloat16Storage" => Number::Bf16,
            "LongStorage" => Number::I64,
            "IntStorage" => Number::I32,
            "ShortStorage" => Number::I16,
            "CharStorage" => Number::I8,
            "ByteStorage" => Number::U8,
            "BoolStorage" => Number::Bool,
            _ => return None,
        }),
        _ => return None,
    })
}

#[derive(Clone, Debug)]
enum Item {
    Nothing,
    Bool(bool),
    Whole(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// A list or a tuple.
    List(Vec<usize>),
    Map(Vec<(usize, usize)>),
    Known(Known),
    Storage(Storage),
    Type(Number),
    Array(Array),
}

/// The tree that a pickle makes.
pub(super) fn read(bytes: &[u8], tensors: Tensors<'_>) -> Result<Foreign, String> {
    let mut machine =
        Machine { bytes, at: 0, items: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: BTreeMap::new() };
    let top = machine.run(tensors)?;
    let mut left = MOST_VALUES;
    machine.tree(top, 0, &mut left)
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    items: Vec<Item>,
    stack: Vec<usize>,
    /// Heights of the stack at marks.
    marks: Vec<usize>,
    memo: BTreeMap<u64, usize>,
}

impl Machine<'_> {
    fn run(&mut self, tensors: Tensors<'_>) -> Result<usize, String> {
        loop {
            let code = self.take(1)?[0];
            match code {
                b'.' => return self.pop(),
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'N' => self.push(Item::Nothing)?,
                0x88 => self.push(Item::Bool(true))?,
                0x89 => self.push(Item::Bool(false))?,
                b'K' => {
                    let value = self.number(1)?;
                    self.whole(value)?;
                }
                b'M' => {
                    let value = self.number(2)?;
                    self.whole(value)?;
                }
                b'J' => {
                    let four = self.take(4)?;
                    let value = i32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                    self.push(Item::Whole(value.into()))?;
                }
                0x8a => self.long()?,
                b'G' => {
                    let eight = self.take(8)?.try_into().unwrap_or_default();
                    self.push(Item::Float(f64::from_be_bytes(eight)))?;
                }
                b'X' => self.text(4)?,
                0x8c => self.text(1)?,
                0x8d => self.text(8)?,
                b'C' => self.raw(1)?,
                b'B' => self.raw(4)?,
                0x8e => self.raw(8)?,
                b']' | b')' => self.push(Item::List(Vec::new()))?,
                b'}' => self.push(Item::Map(Vec::new()))?,
                b'(' => self.marks.push(self.stack.len()),
                b't' | b'l' => {
                    let items = self.above_mark()?;
                    self.push(Item::List(items))?;
                }
                0x85..=0x87 => {
                    let count = usize::from(code - 0x84);
                    let items = self.last(count)?;
                    self.push(Item::List(items))?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.above_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let items = self.last(2)?;
                    self.insert(&items)?;
                }
                b'u' => {
                    let items = self.above_mark()?;
                    self.insert(&items)?;
                }
                b'0' => drop(self.pop()?),
                b'q' => self.keep(1)?,
                b'r' => self.keep(4)?,
                0x94 => {
                    let (place, top) = (self.memo.len() as u64, self.top()?);
                    self.memo.insert(place, top);
                }
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.name(&module, &name)?;
                }
                0x93 => {
                    let names = self.last(2)?;
                    match (&self.items[names[0]], &self.items[names[1]]) {
                        (Item::Text(module), Item::Text(name)) => {
                            let (module, name) = (module.clone(), name.clone());
                            self.name(&module, &name)?;
                        }
                        _ => return Err(damaged("a name is no text")),
                    }
                }
                b'Q' => self.persistent()?,
                b'R' | 0x81 => self.call(tensors)?,
                b'b' => self.state()?,
                other => {
                    return Err(format!(
                        "the pickle inside has the instruction 0x{other:02x}, which tensors do not need"
                    ));
                }
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| damaged("it is cut off"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, width: usize) -> Result<u64, String> {
        let taken = self.take(width)?;
        Ok(taken.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn sized(&mut self, width: usize) -> Result<&[u8], String> {
        let count = usize::try_from(self.number(width)?).map_err(|_| damaged("a length is too large"))?;
        self.take(count)
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it is cut off"))?;
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.at += end + 1;
        Ok(line)
    }

    fn whole(&mut self, value: u64) -> Result<(), String> {
        self.push(Item::Whole(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn long(&mut self) -> Result<(), String> {
        let bytes = self.sized(1)?;
        if bytes.len() > 8 {
            return Err(damaged("a whole number has more than 64 bits"));
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut eight = [if negative { 0xff } else { 0 }; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        self.push(Item::Whole(i64::from_le_bytes(eight)))
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let text = std::str::from_utf8(self.sized(width)?).map_err(|_| damaged("a text is not UTF-8"))?.to_owned();
        self.push(Item::Text(text))
    }

    fn raw(&mut self, width: usize) -> Result<(), String> {
        let bytes = self.sized(width)?.to_vec();
        self.push(Item::Bytes(bytes))
    }

    fn push(&mut self, item: Item) -> Result<(), String> {
        if self.items.len() >= MOST_VALUES {
            return Err(format!("the pickle inside makes more than {MOST_VALUES} values"));
        }
        self.stack.push(self.items.len());
        self.items.push(item);
        Ok(())
    }

    /// The lowest place of the stack that may be taken: what lies below a mark belongs to whoever set it.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<usize, String> {
        self.stack
            .last()
            .copied()
            .filter(|_| self.stack.len() > self.floor())
            .ok_or_else(|| damaged("nothing is there"))
    }

    fn pop(&mut self) -> Result<usize, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn last(&mut self, count: usize) -> Result<Vec<usize>, String> {
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= self.floor() => Ok(self.stack.split_off(start)),
            _ => Err(damaged("too few values are there")),
        }
    }

    fn above_mark(&mut self) -> Result<Vec<usize>, String> {
        let mark = self.marks.pop().ok_or_else(|| damaged("there is no mark"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn append(&mut self, more: Vec<usize>) -> Result<(), String> {
        let top = self.top()?;
        match &mut self.items[top] {
            Item::List(items) => items.extend(more),
            _ => return Err(damaged("something is appended to what is no list")),
        }
        Ok(())
    }

    fn insert(&mut self, more: &[usize]) -> Result<(), String> {
        let top = self.top()?;
        match &mut self.items[top] {
            Item::Map(entries) if more.len().is_multiple_of(2) => {
                entries.extend(more.as_chunks::<2>().0.iter().map(|[key, value]| (*key, *value)));
            }
            _ => return Err(damaged("something is inserted into what is no dictionary")),
        }
        Ok(())
    }

    fn keep(&mut self, width: usize) -> Result<(), String> {
        let (place, top) = (self.number(width)?, self.top()?);
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Result<(), String> {
        let place = self.number(width)?;
        let item = self.memo.get(&place).copied().ok_or_else(|| damaged("a value is used before it is made"))?;
        self.stack.push(item);
        Ok(())
    }

    fn name(&mut self, module: &str, name: &str) -> Result<(), String> {
        let known = known(module, name).ok_or_else(|| {
            format!("the pickle inside names `{module}.{name}`, which tensors do not need; it was not called")
        })?;
        self.push(Item::Known(known))
    }

    /// `("storage", type, key, device, count)`.
    fn persistent(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let parts: Vec<&Item> = self.list(id)?.iter().map(|part| &self.items[*part]).collect();
        let storage = match parts[..] {
            [Item::Text(what), Item::Known(Known::Storage(number)), Item::Text(key), _, Item::Whole(count)]
                if what == "storage" =>
            {
                let count = usize::try_from(*count).map_err(|_| damaged("a storage has no size"))?;
                Storage { number: *number, key: key.clone(), count }
            }
            _ => return Err(damaged("it refers to something that is no storage of a tensor")),
        };
        self.push(Item::Storage(storage))
    }

    fn list(&self, place: usize) -> Result<&[usize], String> {
        match &self.items[place] {
            Item::List(items) => Ok(items),
            _ => Err(damaged("a tuple is expected")),
        }
    }

    fn sizes(&self, place: usize) -> Result<Vec<usize>, String> {
        let size = |item: &usize| match &self.items[*item] {
            Item::Whole(size) => usize::try_from(*size).map_err(|_| damaged("a size is negative")),
            _ => Err(damaged("a size is no number")),
        };
        self.list(place)?.iter().map(size).collect()
    }

    fn call(&mut self, tensors: Tensors<'_>) -> Result<(), String> {
        let [function, arguments] = self.last(2)?[..] else { return Err(damaged("too few values are there")) };
        let Item::Known(known) = self.items[function] else {
            return Err(damaged("something is called that is no function"));
        };
        let arguments = self.list(arguments)?.to_vec();
        let made = match (known, &arguments[..]) {
            (Known::Tensor, [storage, offset, shape, steps, ..]) => {
                let (Item::Storage(storage), Item::Whole(offset)) = (&self.items[*storage], &self.items[*offset])
                else {
                    return Err(damaged("a tensor has no storage"));
                };
                let offset = usize::try_from(*offset).map_err(|_| damaged("an offset is negative"))?;
                let view = View { storage, offset, shape: self.sizes(*shape)?, steps: self.sizes(*steps)? };
                Item::Array(tensors(&view)?)
            }
            // What there is already, under a further name.
            (Known::Parameter | Known::Size, [inner, ..]) => {
                self.stack.push(*inner);
                return Ok(());
            }
            (Known::Dictionary, []) => Item::Map(Vec::new()),
            (Known::Dictionary, [pairs]) => {
                let pair = |pair: &usize| match self.list(*pair)? {
                    [key, value] => Ok((*key, *value)),
                    _ => Err(damaged("an entry of a dictionary is no pair")),
                };
                Item::Map(self.list(*pairs)?.iter().map(pair).collect::<Result<_, String>>()?)
            }
            (Known::NumpyType, [name, ..]) => match &self.items[*name] {
                Item::Text(name) => Item::Type(super::npy::number(name).ok_or_else(|| damaged("a type is not known"))?),
                _ => return Err(damaged("a type has no name")),
            },
            (Known::NumpyScalar, [number, bytes]) => match (&self.items[*number], &self.items[*bytes]) {
                (Item::Type(number), Item::Bytes(bytes)) => {
                    let array = Array::new(Vec::new(), *number, std::sync::Arc::new(bytes.clone()), 0);
                    Item::Array(array.ok_or_else(|| damaged("a number is cut off"))?)
                }
                _ => return Err(damaged("a number has no bytes")),
            },
            (Known::Encode, [text, ..]) => match &self.items[*text] {
                // By Latin-1: each character is the byte of its number.
                Item::Text(text) => {
                    let bytes: Result<Vec<u8>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
                    Item::Bytes(bytes.map_err(|_| damaged("a text is not Latin-1"))?)
                }
                _ => return Err(damaged("a text is expected")),
            },
            _ => return Err(damaged("a function has other arguments than tensors need")),
        };
        self.push(made)
    }

    /// What is set on an object after it was made: a state dictionary's versions, a number type's byte order.
    fn state(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        let top = self.top()?;
        match &self.items[top] {
            Item::Map(_) => Ok(()),
            Item::Type(_) => {
                let order = self.list(state)?.get(1).map(|order| &self.items[*order]);
                match order {
                    Some(Item::Text(order)) if order != ">" => Ok(()),
                    _ => Err(damaged("numbers have their highest byte first")),
                }
            }
            _ => Err(damaged("something is set on what is no dictionary")),
        }
    }

    fn tree(&self, place: usize, depth: usize, left: &mut usize) -> Result<Foreign, String> {
        if depth > MOST_DEPTH || *left == 0 {
            return Err(format!(
                "the pickle inside is deeper than {MOST_DEPTH} lists or has more than {MOST_VALUES} values"
            ));
        }
        *left -= 1;
        let mut inner = |place: &usize| self.tree(*place, depth + 1, left);
        Ok(match &self.items[place] {
            Item::Nothing | Item::Known(_) | Item::Storage(_) | Item::Type(_) => Foreign::Nothing,
            Item::Bool(value) => Foreign::Number(f64::from(u8::from(*value))),
            Item::Whole(value) => Foreign::Number(*value as f64),
            Item::Float(value) => Foreign::Number(*value),
            Item::Text(text) => Foreign::Text(text.clone()),
            Item::Bytes(bytes) => Foreign::Text(String::from_utf8_lossy(bytes).into_owned()),
            Item::Array(array) => Foreign::Array(array.clone()),
            Item::List(items) => Foreign::List(items.iter().map(inner).collect::<Result<_, _>>()?),
            Item::Map(entries) => {
                let mut map = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = match &self.items[*key] {
                        Item::Text(text) => text.clone(),
                        Item::Whole(number) => number.to_string(),
                        _ => return Err(damaged("a key of a dictionary is no text")),
                    };
                    map.push((key, inner(value)?));
                }
                Foreign::Map(map)
            }
        })
    }
}

fn damaged(what: &str) -> String {
    format!("the pickle inside is damaged: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_tensors(bytes: &[u8]) -> Result<Foreign, String> {
        read(bytes, &mut |_| Err("no tensor".to_owned()))
    }

    #[test]
    fn plain_values_are_read() {
        // pickle.dumps({"a": [1, -2, 300, 70000, 2.5, None, True], "b": ("x",)}, 2)
        let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xffM,\x01Jp\x11\x01\x00\
                      G@\x04\x00\x00\x00\x00\x00\x00N\x88eX\x01\x00\x00\x00bq\x03X\x01\x00\x00\x00xq\x04\x85q\x05u.";
        let Foreign::Map(map) = no_tensors(bytes).unwrap() else { panic!("no dictionary") };
        let Foreign::List(items) = &map[0].1 else { panic!("no list") };
        let numbers: Vec<f64> = items.iter().filter_map(Foreign::number).collect();
        assert_eq!(numbers, [1.0, -2.0, 300.0, 70_000.0, 2.5, 1.0]);
        assert!(
            matches!(&map[1].1, Foreign::List(items) if matches!(&items[..], [Foreign::Text(text)] if text == "x"))
        );
    }

    #[test]
    fn whatever_is_no_part_of_tensors_is_named_and_not_called() {
        // os.system("true"), as an attacker writes it in protocols 2 and 4.
        let old = no_tensors(b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.").unwrap_err();
        assert!(old.contains("`posix.system`"), "{old}");
        let new = no_tensors(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.").unwrap_err();
        assert!(new.contains("`builtins.eval`"), "{new}");
        let text = no_tensors(b"\x80\x02X\x01\x00\x00\x00aX\x01\x00\x00\x00b\x85R.").unwrap_err();
        assert!(text.contains("no function"), "{text}");
        let other = no_tensors(b"\x80\x02(S'x'\ni").unwrap_err();
        assert!(other.contains("instruction 0x53"), "{other}");
    }

    #[test]
    fn lists_that_grow_without_end_are_refused() {
        let own = no_tensors(b"\x80\x02]q\x00h\x00a.").unwrap_err();
        assert!(own.contains("deeper"), "{own}");
        // Each list holds the one before ten times.
        let mut bomb = b"\x80\x02]q\x00".to_vec();
        for level in 0..20_u8 {
            bomb.extend([b']', b'q', level + 1, b'(']);
            (0..10).for_each(|_| bomb.extend([b'h', level]));
            bomb.push(b'e');
        }
        bomb.push(b'.');
        assert!(no_tensors(&bomb).unwrap_err().contains("values"));
    }

    #[test]
    fn damage_is_never_a_panic() {
        for bytes in [
            &b""[..],
            b".",
            b"\x80",
            b"\x80\x02K",
            b"(t",
            b"a",
            b"e",
            b"u",
            b"h\x05.",
            b"R",
            b"Q",
            b"b",
            b"X\xff\xff\xff\xff",
        ] {
            assert!(no_tensors(bytes).is_err(), "{bytes:?}");
        }
    }
}
