//! The reference networks, functionally: weights and statistics in, logits and features out.

use std::collections::BTreeMap;

use pddflow_tensor::{Conv2d, Keep, Result, Tensor, grad};

use crate::case::{Case, Outputs};

const EPS: f64 = 1e-5;

/// A network of a case. Weights are passed to [`Network::forward`] in the order of `names`.
pub(crate) struct Network<'a> {
    case: &'a Case,
    pub(crate) names: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Forward {
    pub(crate) logits: Option<Tensor>,
    pub(crate) features: Option<Tensor>,
    /// After the ReLU of each block.
    pub(crate) maps: Vec<Tensor>,
    pub(crate) statistics: Outputs,
}

impl Forward {
    pub(crate) fn logits(&self) -> Tensor {
        self.logits.clone().unwrap()
    }
    pub(crate) fn features(&self) -> Tensor {
        self.features.clone().unwrap()
    }
}

struct Pass<'a> {
    case: &'a Case,
    weights: BTreeMap<&'a str, &'a Tensor>,
    out: Forward,
}

impl<'a> Network<'a> {
    pub(crate) fn new(case: &'a Case) -> Self {
        Self { case, names: case.names("parameters") }
    }

    /// The weights of the case as variables.
    pub(crate) fn weights(&self) -> Result<Vec<Tensor>> {
        self.names.iter().map(|name| self.case.input(&format!("w.{name}")).variable()).collect()
    }

    pub(crate) fn forward(&self, weights: &[Tensor], x: &Tensor) -> Result<Forward> {
        let weights = self.names.iter().map(String::as_str).zip(weights).collect();
        let mut pass = Pass { case: self.case, weights, out: Forward::default() };
        if self.names[0].starts_with("stem") {
            pass.resnet(x)?;
        } else {
            pass.convnet(x)?;
        }
        Ok(pass.out)
    }

    pub(crate) fn loss(&self, weights: &[Tensor], x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let logits = self.forward(weights, x)?.logits();
        if y.rank() == 2 { logits.cross_entropy_soft(y) } else { logits.cross_entropy(y) }
    }

    /// Shapes of a ConvNet's weights.
    pub(crate) fn shapes(&self) -> Vec<Vec<usize>> {
        let [channels, width, classes, depth] =
            ["channels", "width", "classes", "depth"].map(|name| self.case.size(name));
        let extra = if channels == 1 { 4 } else { 0 };
        let side = |name| (0..depth).fold(self.case.size(name) + extra, |side, _| side / 2);
        let features = width * side("height") * side("width_px");
        let shape = |name: &String| match name.as_str() {
            "linear.weight" => vec![classes, features],
            "linear.bias" => vec![classes],
            "block0.conv.weight" => vec![width, channels, 3, 3],
            name if name.ends_with("conv.weight") => vec![width, width, 3, 3],
            _ => vec![width],
        };
        self.names.iter().map(shape).collect()
    }

    pub(crate) fn split(&self, flat: &Tensor) -> Result<Vec<Tensor>> {
        let mut start = 0;
        let take = |shape: &Vec<usize>| {
            let end = start + shape.iter().product::<usize>();
            let part = flat.slice(0, start, end, 1)?.reshape(shape);
            start = end;
            part
        };
        self.shapes().iter().map(take).collect()
    }
}

pub(crate) fn flat(tensors: &[Tensor]) -> Result<Tensor> {
    Tensor::concat(&tensors.iter().map(|tensor| tensor.reshape(&[tensor.elements()])).collect::<Result<Vec<_>>>()?, 0)
}

impl Pass<'_> {
    fn weight(&self, name: &str) -> &Tensor {
        self.weights[name]
    }

    fn convnet(&mut self, x: &Tensor) -> Result<()> {
        let mut x = x.clone();
        for block in 0..self.case.size("depth") {
            let side = if block == 0 && self.case.size("channels") == 1 { 3 } else { 1 };
            let settings = Conv2d { stride: [1, 1], padding: [side, side] };
            let (weight, bias) =
                (self.weight(&format!("block{block}.conv.weight")), self.weight(&format!("block{block}.conv.bias")));
            x = x.conv2d(weight, Some(bias), settings)?;
            if self.case.text("norm") != "none" {
                x = self.norm(&format!("block{block}.norm"), &x)?;
            }
            x = x.relu()?;
            self.out.maps.push(x.clone());
            x = x.avg_pool2d([2, 2], [2, 2])?;
        }
        let images = x.shape()[0];
        self.head(x.reshape(&[images, x.elements() / images])?)
    }

    fn resnet(&mut self, x: &Tensor) -> Result<()> {
        let blocks = if self.case.size("depth") == 10 { 1 } else { 2 };
        let mut x = self.conv_norm(x, "stem.conv", "stem.norm", (1, 1))?.relu()?;
        for layer in 0..4 {
            for block in 0..blocks {
                let name = format!("layer{layer}.block{block}");
                let stride = if layer > 0 && block == 0 { 2 } else { 1 };
                let inner =
                    self.conv_norm(&x, &format!("{name}.conv1"), &format!("{name}.norm1"), (stride, 1))?.relu()?;
                let inner = self.conv_norm(&inner, &format!("{name}.conv2"), &format!("{name}.norm2"), (1, 1))?;
                let shortcut = format!("{name}.shortcut.conv");
                if self.weights.contains_key(format!("{shortcut}.weight").as_str()) {
                    x = self.conv_norm(&x, &shortcut, &format!("{name}.shortcut.norm"), (stride, 0))?;
                }
                x = inner.add(&x)?.relu()?;
            }
        }
        self.head(x.mean(&[2, 3], false)?)
    }

    fn conv_norm(&mut self, x: &Tensor, conv: &str, norm: &str, (stride, padding): (usize, usize)) -> Result<Tensor> {
        let settings = Conv2d { stride: [stride; 2], padding: [padding; 2] };
        let x = x.conv2d(self.weight(&format!("{conv}.weight")), None, settings)?;
        self.norm(norm, &x)
    }

    fn head(&mut self, features: Tensor) -> Result<()> {
        self.out.logits = Some(features.linear(self.weight("linear.weight"), Some(self.weight("linear.bias")))?);
        self.out.features = Some(features);
        Ok(())
    }

    fn norm(&mut self, name: &str, x: &Tensor) -> Result<Tensor> {
        let (weight, bias) = (self.weight(&format!("{name}.weight")), self.weight(&format!("{name}.bias")));
        if self.case.text("norm") == "instance" {
            return x.instance_norm(weight, bias, EPS);
        }
        let [mean_name, var_name] = ["mean", "var"].map(|what| format!("stat.{name}.running_{what}"));
        let running = (self.case.input(&mean_name), self.case.input(&var_name));
        if self.case.text("mode") == "eval" {
            return x.batch_norm_eval(weight, bias, (&running.0, &running.1), EPS);
        }
        let (y, mean, var) = x.batch_norm_train(weight, bias, EPS)?;
        let count = (x.elements() / x.shape()[1]) as f64;
        let mix = |old: &Tensor, new: &Tensor, factor: f64| old.mul_scalar(0.9)?.add(&new.mul_scalar(0.1 * factor)?);
        self.out.statistics.push((mean_name, mix(&running.0, &mean, 1.0)?));
        self.out.statistics.push((var_name, mix(&running.1, &var, count / (count - 1.0))?));
        Ok(y)
    }
}

/// Names with a prefix, paired with tensors.
pub(crate) fn named(prefix: &str, names: &[String], tensors: &[Tensor]) -> Outputs {
    names.iter().map(|name| format!("{prefix}.{name}")).zip(tensors.iter().cloned()).collect()
}

pub(crate) fn outputs(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (weights, x) = (network.weights()?, case.input("x").variable()?);
    let forward = network.forward(&weights, &x)?;
    let loss = forward.logits().cross_entropy(&case.input("y"))?;
    let by = [&[x][..], &weights].concat();
    let gradients = grad(std::slice::from_ref(&loss), &by, None, Keep::No)?;
    let mut out = named("dw", &network.names, &gradients[1..]);
    out.extend([
        ("logits".to_owned(), forward.logits()),
        ("features".to_owned(), forward.features()),
        ("loss".to_owned(), loss),
        ("dx".to_owned(), gradients[0].clone()),
    ]);
    out.extend(forward.statistics);
    Ok(out)
}

pub(crate) fn hvp(case: &Case) -> Result<Outputs> {
    let network = Network::new(case);
    let (weights, x) = (network.weights()?, case.input("x").variable()?);
    let loss = network.loss(&weights, &x, &case.input("y"))?;
    let gradients = grad(std::slice::from_ref(&loss), &weights, None, Keep::OnTape)?;
    let directions: Vec<Tensor> = network.names.iter().map(|name| case.input(&format!("v.{name}"))).collect();
    let dot = flat(&gradients)?.dot(&flat(&directions)?)?;
    let by = [&[x][..], &weights].concat();
    let second = grad(std::slice::from_ref(&dot), &by, None, Keep::No)?;
    let mut out = named("hv", &network.names, &second[1..]);
    out.extend([("loss".to_owned(), loss), ("dot".to_owned(), dot), ("mixed".to_owned(), second[0].clone())]);
    Ok(out)
}
