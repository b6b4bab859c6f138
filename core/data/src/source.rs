//! The choice of a source: a name, or one name with the source's own parameters.

use std::borrow::Cow;
use std::fmt;

use pddflow_artifact::failure::NodeResult;
use pddflow_artifact::params::{problem, read, resolve, suggestion};
use pddflow_runner::NodeContext;
use pddflow_runner::pipeline::ParamProblem;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::cifar::{Cifar10, Cifar100};
use crate::digests::of_files;
use crate::fashion::{FASHION_MNIST, mini_identity, read_mini};
use crate::folder::ImageFolder;
use crate::idx::Idx;
use crate::idx_set::IdxSetPlace;
use crate::mnist::MNIST;
use crate::npz::Npz;
use crate::parquet_file::Parquet;
use crate::places::Places;
use crate::raw::RawData;
use crate::svhn::{self, Svhn};
use crate::tiny::TinyImagenet;

const NAMES: [&str; 11] = [
    "fashion-mini",
    "fashion-mnist",
    "mnist",
    "idx",
    "cifar10",
    "cifar100",
    "svhn",
    "parquet",
    "npz",
    "image-folder",
    "tiny-imagenet",
];

/// What each of them is.
const SUMMARIES: [&str; 11] = [
    "A part of Fashion-MNIST that comes with the program: 2,000 training and 500 test images of 28x28 in 10 classes, grey.",
    "Fashion-MNIST: 60,000 training and 10,000 test images of 28x28 in 10 classes, grey.",
    "MNIST: 60,000 training and 10,000 test images of 28x28 in 10 classes, grey.",
    "Images and labels of one's own in IDX files, the format of MNIST.",
    "CIFAR-10: 50,000 training and 10,000 test images of 32x32 in 10 classes, RGB.",
    "CIFAR-100: 50,000 training and 10,000 test images of 32x32 in 100 classes (or 20 of several), RGB.",
    "SVHN, cropped digits: 73,257 training and 26,032 test images of 32x32 in 10 classes, RGB.",
    "Images and labels of one's own in Parquet files, as Hugging Face has them.",
    "Images and labels of one's own as NumPy arrays in one file.",
    "Images of one's own as PNG or JPEG files, in one folder for each class.",
    "Tiny ImageNet: 100,000 training and 10,000 validation images of 64x64 in 200 classes, RGB.",
];

/// Parameters of sources that only say where files are. What is in the files enters the key by itself.
const PLACES: [&str; 9] =
    ["path", "mirror", "md5", "train_images", "train_labels", "test_images", "test_labels", "train", "test"];

/// A source's name and its parameters; written back always in the long form, so that both forms have one key.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceChoice {
    /// Its name.
    pub name: String,
    /// Its parameters: an object.
    pub config: Value,
}

/// A source with its parameters.
pub struct Source(Reader);

enum Reader {
    FashionMini,
    FashionMnist(IdxSetPlace),
    Mnist(IdxSetPlace),
    Idx(Idx),
    Cifar10(Cifar10),
    Cifar100(Cifar100),
    Svhn(Svhn),
    Parquet(Parquet),
    Npz(Npz),
    ImageFolder(ImageFolder),
    TinyImagenet(TinyImagenet),
}

/// A source without parameters.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

impl SourceChoice {
    /// The choice with the defaults of the source filled in, or every problem with its place below `/source`.
    pub fn check(&self) -> Result<Self, Vec<ParamProblem>> {
        let config = match self.name.as_str() {
            "fashion-mini" => resolve::<NoParameters>(&self.config),
            "fashion-mnist" | "mnist" => resolve_with(&self.config, IdxSetPlace::problem),
            "idx" => resolve_with(&self.config, Idx::problem),
            "cifar10" => resolve_with(&self.config, Cifar10::problem),
            "cifar100" => resolve_with(&self.config, Cifar100::problem),
            "svhn" => resolve_with(&self.config, Svhn::problem),
            "parquet" => resolve_with(&self.config, Parquet::problem),
            "npz" => resolve::<Npz>(&self.config),
            "image-folder" => resolve_with(&self.config, ImageFolder::problem),
            "tiny-imagenet" => resolve_with(&self.config, TinyImagenet::problem),
            other => {
                let help = suggestion(other, &NAMES);
                return Err(vec![problem("/source", format!("there is no source `{other}`"), Some(help))]);
            }
        };
        let inside = |found: ParamProblem| {
            // With the short form there is no place inside it to point at.
            let inner = if self.is_short() { String::new() } else { format!("/{}{}", self.name, found.pointer) };
            let help = found.help.or_else(|| {
                self.is_short().then(|| format!("write `source: {{ {}: {{ ... }} }}` with its parameters", self.name))
            });
            problem(format!("/source{inner}"), format!("source `{}`: {}", self.name, found.message), help)
        };
        match config {
            Ok(config) => Ok(Self { name: self.name.clone(), config }),
            Err(problems) => Err(problems.into_iter().map(inside).collect()),
        }
    }

    /// The source of a checked choice.
    pub fn open(&self) -> NodeResult<Source> {
        Ok(Source(match self.name.as_str() {
            "fashion-mnist" => Reader::FashionMnist(read(&self.config)?),
            "mnist" => Reader::Mnist(read(&self.config)?),
            "idx" => Reader::Idx(read(&self.config)?),
            "cifar10" => Reader::Cifar10(read(&self.config)?),
            "cifar100" => Reader::Cifar100(read(&self.config)?),
            "svhn" => Reader::Svhn(read(&self.config)?),
            "parquet" => Reader::Parquet(read(&self.config)?),
            "npz" => Reader::Npz(read(&self.config)?),
            "image-folder" => Reader::ImageFolder(read(&self.config)?),
            "tiny-imagenet" => Reader::TinyImagenet(read(&self.config)?),
            _ => Reader::FashionMini,
        }))
    }

    /// The choice without what only says where the files are.
    pub fn without_places(&self) -> Value {
        let config = self.config.as_object().into_iter().flatten();
        let config: Map<String, Value> =
            config.filter(|(name, _)| !PLACES.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect();
        json!({ &self.name: config })
    }

    fn is_short(&self) -> bool {
        self.config.as_object().is_some_and(Map::is_empty)
    }
}

fn resolve_with<P: Serialize + DeserializeOwned + JsonSchema>(
    config: &Value,
    check: impl Fn(&P) -> Option<(&'static str, &'static str)>,
) -> Result<Value, Vec<ParamProblem>> {
    let resolved = resolve::<P>(config)?;
    let parameters: P =
        serde_json::from_value(resolved.clone()).map_err(|error| vec![problem("", error.to_string(), None)])?;
    match check(&parameters) {
        Some((name, message)) => Err(vec![problem(format!("/{name}"), message, None)]),
        None => Ok(resolved),
    }
}

impl Source {
    /// What decides the content, whatever the place: digests.
    pub fn identity(&self, places: &Places) -> NodeResult<Value> {
        let files = match &self.0 {
            Reader::FashionMini => return Ok(json!(mini_identity())),
            Reader::FashionMnist(_) => return Ok(json!(FASHION_MNIST.identity())),
            Reader::Mnist(_) => return Ok(json!(MNIST.identity())),
            Reader::Svhn(source) => return source.identity(places),
            Reader::Npz(source) => source.files(places),
            Reader::Idx(source) => source.files(places),
            Reader::Cifar10(source) => return source.open().identity(places),
            Reader::Cifar100(source) => return source.open().identity(places),
            Reader::TinyImagenet(source) => return source.identity(places),
            Reader::Parquet(source) => source.files(places),
            Reader::ImageFolder(source) => source.files(places),
        };
        Ok(json!(of_files(files?, &places.digests())?.to_string()))
    }

    /// Reads everything.
    pub fn read(&self, places: &Places, context: &NodeContext<'_>) -> NodeResult<RawData> {
        match &self.0 {
            Reader::FashionMini => read_mini(),
            Reader::FashionMnist(place) => FASHION_MNIST.read(place, places, context),
            Reader::Mnist(place) => MNIST.read(place, places, context),
            Reader::Svhn(source) => source.read(places, context),
            Reader::Npz(source) => source.read(places),
            Reader::Idx(source) => source.read(places),
            Reader::Cifar10(source) => source.open().read(places, context),
            Reader::Cifar100(source) => source.open().read(places, context),
            Reader::Parquet(source) => source.read(places, context),
            Reader::ImageFolder(source) => source.read(places, context),
            Reader::TinyImagenet(source) => source.read(places, context),
        }
    }

    /// Who made the data and what may be done with them, as far as known.
    pub fn license(&self) -> Option<String> {
        match self.0 {
            Reader::FashionMini | Reader::FashionMnist(_) => Some(FASHION_MNIST.license.to_owned()),
            Reader::Mnist(_) => Some(MNIST.license.to_owned()),
            Reader::Svhn(_) => Some(svhn::LICENSE.to_owned()),
            _ => None,
        }
    }
}

impl Serialize for SourceChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.name, &self.config)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for SourceChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = SourceChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a source's name, or `{ name: { its parameters } }` with one name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<SourceChoice, E> {
        Ok(SourceChoice { name: name.to_owned(), config: Value::Object(Map::new()) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SourceChoice, A::Error> {
        let Some((name, config)) = map.next_entry::<String, Value>()? else {
            return Err(A::Error::custom("no source is named: write `{ name: { its parameters } }`"));
        };
        if let Some(other) = map.next_key::<String>()? {
            let message =
                format!("`{name}` and `{other}` stand side by side: write `{{ name: {{ its parameters }} }}`");
            return Err(A::Error::custom(message));
        }
        Ok(SourceChoice { name, config: if config.is_null() { Value::Object(Map::new()) } else { config } })
    }
}

impl JsonSchema for SourceChoice {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = [
            generator.subschema_for::<NoParameters>(),
            generator.subschema_for::<IdxSetPlace>(),
            generator.subschema_for::<IdxSetPlace>(),
            generator.subschema_for::<Idx>(),
            generator.subschema_for::<Cifar10>(),
            generator.subschema_for::<Cifar100>(),
            generator.subschema_for::<Svhn>(),
            generator.subschema_for::<Parquet>(),
            generator.subschema_for::<Npz>(),
            generator.subschema_for::<ImageFolder>(),
            generator.subschema_for::<TinyImagenet>(),
        ];
        let property = |((name, summary), schema): ((&&str, &str), Schema)| {
            let mut schema = schema.to_value();
            schema["description"] = summary.into();
            ((*name).to_owned(), schema)
        };
        let properties: Map<String, Value> = NAMES.iter().zip(SUMMARIES).zip(inner).map(property).collect();
        json_schema!({
            "description": "Where the images come from: a source's name, or one name with the source's parameters. \
                            Relative paths start at the pipeline file, or else at a data folder.",
            "oneOf": [
                { "enum": ["fashion-mini", "fashion-mnist", "mnist", "cifar10", "cifar100", "svhn", "tiny-imagenet"] },
                {
                    "type": "object",
                    "properties": properties,
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1
                }
            ]
        })
    }
}
