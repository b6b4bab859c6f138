//! The glue between the traits and the C tables, entered as a host enters it, with a host of a few functions and no tensor library: all
//! of it runs under Miri (`cargo +nightly miri test -p pddflow-sdk --test glue`), which sees what no assertion does.
#![allow(unsafe_code, missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests of the boundary")]
#![allow(clippy::undocumented_unsafe_blocks, reason = "the pointers are the test's own, and live as long as each call")]

use pddflow_abi as abi;
use pddflow_sdk::{
    Decoded, Description, Identity, Iteration, Learnable, Learnables, Matcher, Need, Problem, Result, Start, Tensor,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::c_void;

pddflow_sdk::parameters! {
    struct Glue {
        /// Factor of the gradient.
        factor: f64 = 2.0,
        /// Where it goes wrong.
        at: String = String::new(),
    }
}

impl Matcher for Glue {
    const ID: &'static str = "glue";
    const SUMMARY: &'static str = "uses every way across the boundary";
    const REVISION: u32 = 3;
    const DECODES: bool = true;
    const IDENTIFIES: bool = true;

    fn check(&self) -> Result<()> {
        if self.factor < 0.0 { Err(pddflow_sdk::Error::config("`factor` is negative")) } else { Ok(()) }
    }

    fn identify(&self, identity: &mut Identity<'_>) -> Result<()> {
        identity.add("engine", "1.0")
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        assert_eq!((problem.classes, problem.mean.as_slice(), problem.labels()), (2, &[0.5][..], vec![0, 1]));
        description.need(Need::Model)?;
        description.learnable(&Learnable::images(problem, Start::Real, 0.5))?;
        description.recipe(&pddflow_sdk::recipe(10, "none"))
    }

    fn decode<'call>(&self, _: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        let images = learnables.get("images")?.clone();
        Ok(Decoded { labels: Tensor::from_i64(learnables.call(), &[0, 1], &[2])?, images })
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        assert!(self.at != "panic", "as it was asked to");
        let images = run.learnable("images")?;
        if self.at == "refused" {
            return images.exp().map(drop);
        }
        let gradient = (&(&images * self.factor)? + &images)?;
        run.step("images", &gradient)?;
        let values = gradient.to_f64_vec()?;
        run.metric("loss", values.iter().sum::<f64>() + run.number() as f64)
    }
}

pddflow_sdk::plugin!(matcher Glue);

/// What the host has: tensors of two numbers under handles from 1, and what it was told.
#[derive(Default)]
struct Host {
    tensors: BTreeMap<u64, Vec<f64>>,
    made: u64,
    told: Vec<String>,
    config: String,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

fn host<T>(body: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(body)
}

fn tell(text: String) -> i32 {
    host(|host| host.told.push(text));
    0
}

unsafe fn text(text: abi::Text) -> String {
    let bytes = unsafe { std::slice::from_raw_parts(text.data.cast::<u8>(), text.length as usize) };
    String::from_utf8(bytes.to_vec()).unwrap()
}

unsafe fn give(out: *mut abi::Tensor, values: Vec<f64>) -> i32 {
    let handle = host(|host| {
        host.made += 1;
        host.tensors.insert(host.made, values);
        host.made
    });
    unsafe { out.write(handle) };
    0
}

fn values(handle: abi::Tensor) -> Vec<f64> {
    host(|host| host.tensors[&handle].clone())
}

type Call = *mut abi::Call;

unsafe extern "C" fn json(_: Call, out: *mut abi::Text) -> i32 {
    // The text stays where it is while the host keeps it.
    unsafe { out.write(host(|host| abi::Text::new(&host.config))) };
    0
}
unsafe extern "C" fn fail(_: Call, status: i32, message: abi::Text) -> i32 {
    tell(format!("fail {status}: {}", unsafe { text(message) }));
    status
}
unsafe extern "C" fn need(_: Call, need: u32) -> i32 {
    tell(format!("need {need}"))
}
unsafe extern "C" fn declare(_: Call, given: *const abi::LearnableDeclaration) -> i32 {
    let given = unsafe { given.read() };
    let shape = unsafe { std::slice::from_raw_parts(given.shape, given.rank as usize) };
    tell(format!("learnable {} {shape:?} at {}", unsafe { text(given.name) }, given.lr))
}
unsafe extern "C" fn recipe(_: Call, given: abi::Text) -> i32 {
    tell(format!("recipe {}", unsafe { text(given) }.len()))
}
unsafe extern "C" fn identity(_: Call, name: abi::Text, value: abi::Text) -> i32 {
    tell(format!("identity {} {}", unsafe { text(name) }, unsafe { text(value) }))
}
unsafe extern "C" fn output(_: Call, kind: u32, _: abi::Text, x: abi::Tensor) -> i32 {
    tell(format!("output {kind} {:?}", values(x)))
}
unsafe extern "C" fn learnable(_: Call, _: abi::Text, out: *mut abi::Tensor) -> i32 {
    unsafe { give(out, vec![1.0, 2.0]) }
}
unsafe extern "C" fn step(_: Call, name: abi::Text, gradient: abi::Tensor, rate: f64) -> i32 {
    tell(format!("step {} {:?} {rate}", unsafe { text(name) }, values(gradient)))
}
unsafe extern "C" fn metric(_: Call, name: abi::Text, value: f64) -> i32 {
    tell(format!("metric {} {value}", unsafe { text(name) }))
}
unsafe extern "C" fn unary(
    _: Call,
    op: u32,
    x: abi::Tensor,
    parameters: *const f64,
    count: u64,
    out: *mut abi::Tensor,
) -> i32 {
    if op != abi::Op::MulScalar as u32 {
        return abi::Status::Unsupported as i32;
    }
    let factor = unsafe { std::slice::from_raw_parts(parameters, count as usize) }[0];
    unsafe { give(out, values(x).into_iter().map(|value| value * factor).collect()) }
}
unsafe extern "C" fn binary(_: Call, _: u32, x: abi::Tensor, y: abi::Tensor, out: *mut abi::Tensor) -> i32 {
    unsafe { give(out, values(x).into_iter().zip(values(y)).map(|(x, y)| x + y).collect()) }
}
unsafe extern "C" fn from_bytes(
    _: Call,
    _: u32,
    _: *const u64,
    _: u64,
    data: *const u8,
    bytes: u64,
    out: *mut abi::Tensor,
) -> i32 {
    let labels = unsafe { std::slice::from_raw_parts(data.cast::<i64>(), bytes as usize / 8) };
    unsafe { give(out, labels.iter().map(|label| *label as f64).collect()) }
}
unsafe extern "C" fn cast(_: Call, x: abi::Tensor, _: u32, out: *mut abi::Tensor) -> i32 {
    unsafe { give(out, values(x)) }
}
unsafe extern "C" fn elements(_: Call, x: abi::Tensor, out: *mut u64) -> i32 {
    unsafe { out.write(values(x).len() as u64) };
    0
}
unsafe extern "C" fn dtype(_: Call, _: abi::Tensor, out: *mut u32) -> i32 {
    unsafe { out.write(abi::Dtype::F64 as u32) };
    0
}
unsafe extern "C" fn bytes(_: Call, x: abi::Tensor, out: *mut u8, capacity: u64) -> i32 {
    let values = values(x);
    assert_eq!(capacity as usize, 8 * values.len());
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), out, capacity as usize) };
    0
}
unsafe extern "C" fn release(_: Call, x: abi::Tensor) -> i32 {
    host(|host| assert!(host.tensors.remove(&x).is_some(), "released twice"));
    0
}

/// A group with these functions and no others, as an older host has it.
macro_rules! group {
    ($Group:ident, $($function:ident = $given:expr),*) => {{
        // SAFETY: absent functions are zero.
        let mut group: abi::$Group = unsafe { std::mem::zeroed() };
        group.size = size_of::<abi::$Group>() as u32;
        $(group.$function = Some($given);)*
        group
    }};
}

/// Enters a function of the plugin, and gives its status and what the host was told.
fn enter(config: &str, body: impl FnOnce(Call, &abi::MatcherTable) -> i32) -> (i32, Vec<String>) {
    let core = group!(CoreGroup, fail = fail);
    let settings = group!(ConfigGroup, json = json);
    let log = group!(LogGroup, metric = metric);
    let make = group!(MakeGroup, from_bytes = from_bytes, cast = cast);
    let info = group!(InfoGroup, dtype = dtype, elements = elements);
    let read = group!(ReadGroup, bytes = bytes);
    let map = group!(MapGroup, unary = unary, binary = binary);
    let arena = group!(ArenaGroup, release = release);
    let saying =
        group!(DeclareGroup, need = need, learnable = declare, recipe = recipe, identity = identity, output = output);
    let distill = group!(DistillGroup, learnable = learnable, step = step);
    // SAFETY: absent groups are NULL.
    let mut root: abi::Host = unsafe { std::mem::zeroed() };
    root.size = size_of::<abi::Host>() as u32;
    root.abi_minor = abi::ABI_MINOR;
    (root.core, root.config, root.log, root.make, root.info) = (&core, &settings, &log, &make, &info);
    (root.read, root.map, root.arena, root.declare, root.distill) = (&read, &map, &arena, &saying, &distill);
    let mut call = abi::Call { size: size_of::<abi::Call>() as u32, reserved: 0, host: &raw const root };
    host(|host| *host = Host { config: config.to_owned(), ..Host::default() });
    let header = &pddflow_plugin_export::pddflow_plugin;
    // SAFETY: what `plugin!` made.
    let descriptor: &abi::Descriptor = unsafe { &**header.descriptors.cast::<*const abi::Descriptor>() };
    let table = unsafe { &*descriptor.table.cast::<abi::MatcherTable>() };
    let status = body(&raw mut call, table);
    let told = host(|host| {
        assert!(host.tensors.is_empty(), "tensors are left");
        std::mem::take(&mut host.told)
    });
    (status, told)
}

const NUMBERS: [f64; 1] = [0.5];

fn problem() -> abi::Problem {
    abi::Problem {
        size: size_of::<abi::Problem>() as u32,
        dtype: abi::Dtype::F64 as u32,
        classes: 2,
        channels: 1,
        height: 1,
        width: 1,
        ipc: 1,
        iterations: 0,
        learnable_rows: 2,
        mean: NUMBERS.as_ptr(),
        std: NUMBERS.as_ptr(),
        minimum: NUMBERS.as_ptr(),
        maximum: NUMBERS.as_ptr(),
        seed_key: abi::RandomKey { words: [0; 4] },
    }
}

/// Makes an instance, lets a function of the table run with it, and destroys it.
fn with_instance(
    config: &str,
    body: impl FnOnce(Call, &abi::MatcherTable, *const c_void) -> i32,
) -> (i32, Vec<String>) {
    enter(config, |call, table| unsafe {
        let mut instance = std::ptr::null_mut();
        let made = table.create.unwrap()(call, &raw mut instance);
        if made != 0 {
            return made;
        }
        let status = body(call, table, instance);
        table.destroy.unwrap()(instance);
        status
    })
}

fn iterate(config: &str) -> (i32, Vec<String>) {
    let problem = problem();
    with_instance(config, |call, table, instance| unsafe {
        let arguments = abi::IterateArguments {
            size: size_of::<abi::IterateArguments>() as u32,
            reserved: 0,
            problem: &raw const problem,
            iteration: 7,
            key: abi::RandomKey { words: [1, 2, 3, 4] },
        };
        table.iterate.unwrap()(call, instance, &raw const arguments)
    })
}

#[test]
fn an_iteration_crosses_the_boundary_and_leaves_nothing() {
    let (status, told) = iterate(r#"{"factor":3.0}"#);
    assert_eq!(status, 0);
    assert_eq!(told, ["step images [4.0, 8.0] 1", "metric loss 19"]);
}

#[test]
fn what_is_refused_has_a_status_and_the_line() {
    let (status, told) = iterate(r#"{"at":"refused"}"#);
    assert_eq!(status, abi::Status::Unsupported as i32);
    assert!(told[0].contains("at ") && told[0].contains("glue.rs:"), "{told:?}");
    let (status, told) = iterate(r#"{"factor":-1.0}"#);
    assert_eq!(
        (status, told),
        (abi::Status::Config as i32, vec!["fail 9: `factor` is negative".replace('9', &status.to_string())])
    );
    let (status, told) = iterate(r#"{"factr":1}"#);
    assert!(status == abi::Status::Config as i32 && told[0].contains("unknown field `factr`"), "{told:?}");
}

#[test]
fn a_panic_is_a_status_with_its_text_and_place() {
    // SAFETY: `open` is entered once before anything else, as a host does; it only sets the hook of panics.
    let header = &pddflow_plugin_export::pddflow_plugin;
    assert_eq!(enter("{}", |call, _| unsafe { header.open.unwrap()(call) }).0, 0);
    let (status, told) = iterate(r#"{"at":"panic"}"#);
    assert_eq!(status, abi::Status::Panic as i32);
    assert!(told[0].contains("as it was asked to") && told[0].contains("glue.rs"), "{told:?}");
}

#[test]
fn it_describes_itself() {
    let problem = problem();
    let (status, told) = with_instance("{}", |call, table, instance| unsafe {
        table.describe.unwrap()(call, instance, &raw const problem)
    });
    assert_eq!(status, 0);
    assert_eq!(told[1], "learnable images [2, 1, 1, 1] at 0.5");
    assert_eq!(told.len(), 3);
    let (status, told) =
        with_instance("{}", |call, table, instance| unsafe { table.identify.unwrap()(call, instance) });
    assert_eq!((status, told), (0, vec!["identity engine 1.0".to_owned()]));
}

#[test]
fn it_decodes() {
    let problem = problem();
    let (status, told) = with_instance("{}", |call, table, instance| unsafe {
        let mut handle = 0;
        give(&raw mut handle, vec![5.0, 6.0]);
        let named = abi::NamedTensor { name: abi::Text::new("images"), tensor: handle };
        let arguments = abi::DecodeArguments {
            size: size_of::<abi::DecodeArguments>() as u32,
            reserved: 0,
            problem: &raw const problem,
            learnables: &raw const named,
            learnable_count: 1,
        };
        table.decode.unwrap()(call, instance, &raw const arguments)
    });
    assert_eq!(status, 0);
    assert!(told[0].ends_with("[5.0, 6.0]") && told[1].ends_with("[0.0, 1.0]"), "{told:?}");
}

#[test]
fn the_schema_is_json_with_descriptions_and_defaults() {
    let header = &pddflow_plugin_export::pddflow_plugin;
    let (status, _) = enter("{}", |call, _| unsafe {
        let descriptor: &abi::Descriptor = &**header.descriptors.cast::<*const abi::Descriptor>();
        let mut schema = abi::Text::EMPTY;
        let status = descriptor.schema_text.unwrap()(call, &raw mut schema);
        let schema: serde_json::Value = serde_json::from_str(&text(schema)).unwrap();
        assert_eq!(schema["properties"]["factor"]["default"], 2.0);
        assert_eq!(schema["properties"]["factor"]["description"], "Factor of the gradient.");
        assert_eq!((descriptor.revision, text(descriptor.id)), (3, "glue".to_owned()));
        status
    });
    assert_eq!(status, 0);
}
