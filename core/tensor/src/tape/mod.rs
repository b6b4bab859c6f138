//! The tape: gradients by a reverse walk over recorded operations.
//!
//! A tensor on the tape holds the operation that made it and that operation's inputs; there is no list of
//! operations anywhere, so a tape is freed with its tensors. [`grad`] orders the nodes between outputs and
//! inputs, then goes from the outputs back and adds up cotangents by the [rules]. Rules are written in the
//! public operations: with [`Keep::OnTape`] they work on the recorded tensors themselves, so that gradients
//! are on the tape too. With [`Keep::No`] they work on detached copies and nothing is recorded.
//!
//! | case | what happens |
//! |---|---|
//! | node on no way to an input | visited at most once, its rule never runs |
//! | input of a rule that no requested input reaches | that half of the rule is skipped |
//! | node deeper in the past than every input | not visited |
//! | output that does not depend on an input | zeros |
//! | cotangent of a node | dropped as soon as its rule has run |
//! | cotangent of a saved value | goes to the rule of the operation that made it, together with the node's own |
//! | normalisation, ReLU and pooling in a row, of which only the last is used by others | pulled back by one kernel |

mod norm;
mod rules;
mod site;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use crate::Tensor;
use crate::error::{Result, TensorError, shape_error};
use crate::op::Op;
use crate::watch;
use rules::rule;
pub use site::Keep;
use site::Site;

/// Gradients of `sum over k of <seeds[k], outputs[k]>` by each input, in the inputs' shapes.
///
/// Without seeds every output must have one element, and the seeds are 1. Inputs may be any tensors on the
/// tape, not only variables. An input that no output depends on gets zeros. Seeds on the tape are
/// differentiated through with [`Keep::OnTape`].
///
/// # Errors
/// When an input is not on the tape, when a seed's shape or type differs from its output's, or when seeds are
/// missing for an output with several elements.
pub fn grad(outputs: &[Tensor], inputs: &[Tensor], seeds: Option<&[Tensor]>, keep: Keep) -> Result<Vec<Tensor>> {
    if let Some((index, input)) = inputs.iter().enumerate().find(|(_, input)| !input.is_on_tape()) {
        return Err(TensorError::NotOnTape { index, shape: input.shape().to_vec() });
    }
    let seeds = checked_seeds(outputs, seeds, keep)?;
    let walk = Walk::new(outputs, inputs);
    let mut cotangents: Vec<Cotangents> = vec![Cotangents::default(); walk.nodes.len()];
    for (output, seed) in outputs.iter().zip(seeds) {
        walk.add(&mut cotangents, output, seed)?;
    }
    let mut found: HashMap<usize, Tensor> = HashMap::new();
    for index in (0..walk.nodes.len()).rev() {
        let node = &walk.nodes[index];
        let cotangent = std::mem::take(&mut cotangents[index]).spread(node.tensor.shape())?;
        walk.pull_back(node, &cotangent, keep, &mut cotangents)?;
        if let (true, Some(own)) = (node.is_input, cotangent.own) {
            found.insert(node.tensor.id(), own);
        }
    }
    inputs
        .iter()
        .map(|input| match found.get(&input.id()) {
            Some(gradient) => Ok(gradient.clone()),
            None => Tensor::zeros(input.shape(), input.dtype(), &input.device()),
        })
        .collect()
}

/// Bytes of the values that these tensors and the tape behind them hold; what several share counts once, what waits to be computed
/// not at all.
#[must_use]
pub fn tape_bytes(tensors: &[Tensor]) -> u64 {
    let (mut nodes, mut values, mut sum) = (HashSet::new(), HashSet::new(), 0);
    let mut waiting: Vec<&Tensor> = tensors.iter().collect();
    while let Some(tensor) = waiting.pop() {
        if !nodes.insert(tensor.id()) {
            continue;
        }
        if let Some(value) = tensor.known_value()
            && values.insert(value)
        {
            sum += (tensor.elements() * tensor.dtype().size()) as u64;
        }
        waiting.extend(tensor.record().into_iter().flat_map(|record| &record.inputs));
    }
    sum
}

fn checked_seeds(outputs: &[Tensor], seeds: Option<&[Tensor]>, keep: Keep) -> Result<Vec<Tensor>> {
    let Some(seeds) = seeds else {
        return outputs
            .iter()
            .map(|output| match output.elements() {
                1 => Tensor::ones(output.shape(), output.dtype(), &output.device()),
                _ => shape_error("grad", &[output.shape()], "an output with several elements needs a seed"),
            })
            .collect();
    };
    if seeds.len() != outputs.len() {
        return shape_error("grad", &[&[seeds.len()], &[outputs.len()]], "there must be one seed for each output");
    }
    for (output, seed) in outputs.iter().zip(seeds) {
        if output.shape() != seed.shape() {
            return shape_error("grad", &[output.shape(), seed.shape()], "a seed has the shape of its output");
        }
        if output.dtype() != seed.dtype() {
            return Err(TensorError::DType {
                op: "grad",
                dtypes: vec![output.dtype(), seed.dtype()],
                rule: "a seed has the type of its output",
            });
        }
    }
    Ok(seeds.iter().map(|seed| if keep == Keep::No { seed.detach() } else { seed.clone() }).collect())
}

/// A node that the walk has visited.
struct Visited {
    tensor: Tensor,
    /// Whether an input lies on a way back from here, the node itself included.
    reaches: bool,
    is_input: bool,
    /// How many operations on the way take it as an input, outputs counting too.
    uses: usize,
}

/// What has been found for a node so far.
#[derive(Clone, Default)]
struct Cotangents {
    own: Option<Tensor>,
    /// Of its saved values, by their number.
    saved: Vec<Option<Tensor>>,
}

impl Cotangents {
    /// At the length that the node has: until then a cotangent of a sum has length 1 along the axes that were summed.
    fn spread(mut self, shape: &[usize]) -> Result<Self> {
        self.own = match self.own {
            Some(own) if own.shape() != shape => Some(own.broadcast_to(shape)?),
            own => own,
        };
        Ok(self)
    }

    /// The place for a saved value's cotangent, or the node's own.
    fn place(&mut self, saved: Option<usize>) -> &mut Option<Tensor> {
        let Some(index) = saved else { return &mut self.own };
        if self.saved.len() <= index {
            self.saved.resize(index + 1, None);
        }
        &mut self.saved[index]
    }
}

/// The nodes behind the outputs, inputs of an operation before its result.
struct Walk {
    nodes: Vec<Visited>,
    position: HashMap<usize, usize>,
}

impl Walk {
    fn new(outputs: &[Tensor], inputs: &[Tensor]) -> Self {
        let wanted: HashMap<usize, ()> = inputs.iter().map(|input| (input.id(), ())).collect();
        let floor = inputs.iter().map(Tensor::depth).min().unwrap_or(u64::MAX);
        let mut walk = Self { nodes: Vec::new(), position: HashMap::new() };
        for output in outputs {
            walk.visit(output, &wanted, floor);
            walk.count_use(output);
        }
        walk
    }

    /// Depth-first, without recursion: `next` counts the inputs of a node that are done.
    fn visit(&mut self, output: &Tensor, wanted: &HashMap<usize, ()>, floor: u64) {
        let mut path: Vec<(Tensor, usize)> = Vec::new();
        if self.is_new(output, floor) {
            path.push((output.clone(), 0));
        }
        while let Some((tensor, next)) = path.last_mut() {
            let child = tensor.record().and_then(|record| record.inputs.get(*next)).cloned();
            *next += 1;
            match child {
                Some(child) => {
                    if self.is_new(&child, floor) {
                        path.push((child, 0));
                    }
                }
                None => {
                    if let Some((tensor, _)) = path.pop() {
                        self.finish(tensor, wanted);
                    }
                }
            }
        }
    }

    fn is_new(&self, tensor: &Tensor, floor: u64) -> bool {
        tensor.is_on_tape() && tensor.depth() >= floor && !self.position.contains_key(&tensor.id())
    }

    fn finish(&mut self, tensor: Tensor, wanted: &HashMap<usize, ()>) {
        let is_input = wanted.contains_key(&tensor.id());
        let inputs = tensor.record().map_or(&[][..], |record| &record.inputs);
        let reaches = is_input || inputs.iter().any(|input| self.reaches(input));
        inputs.iter().for_each(|input| self.count_use(input));
        self.position.insert(tensor.id(), self.nodes.len());
        self.nodes.push(Visited { tensor, reaches, is_input, uses: 0 });
    }

    fn count_use(&mut self, tensor: &Tensor) {
        if let Some(&index) = self.position.get(&tensor.id()) {
            self.nodes[index].uses += 1;
        }
    }

    /// Whether nobody asks for the gradient by this tensor, and one operation alone uses it.
    fn is_intermediate(&self, tensor: &Tensor) -> bool {
        self.position.get(&tensor.id()).is_some_and(|&index| !self.nodes[index].is_input && self.nodes[index].uses == 1)
    }

    fn reaches(&self, tensor: &Tensor) -> bool {
        self.position.get(&tensor.id()).is_some_and(|&index| self.nodes[index].reaches)
    }

    fn add(&self, cotangents: &mut [Cotangents], to: &Tensor, cotangent: Tensor) -> Result<()> {
        self.add_to(cotangents, to, None, cotangent)
    }

    fn add_to(
        &self,
        cotangents: &mut [Cotangents],
        to: &Tensor,
        saved: Option<usize>,
        cotangent: Tensor,
    ) -> Result<()> {
        let Some(&index) = self.position.get(&to.id()) else { return Ok(()) };
        if self.nodes[index].reaches {
            let place = cotangents[index].place(saved);
            *place = Some(match place.take() {
                Some(before) => before.add(&cotangent)?,
                None => cotangent,
            });
        }
        Ok(())
    }

    fn pull_back(&self, node: &Visited, found: &Cotangents, keep: Keep, cotangents: &mut [Cotangents]) -> Result<()> {
        let Some(record) = node.tensor.record() else { return Ok(()) };
        let fused = norm::fused(&node.tensor, |tensor| self.is_intermediate(tensor));
        let (op, inputs, output) = match &fused {
            Some(fused) => (&fused.op, fused.inputs, fused.saved),
            None => (&record.op, &record.inputs[..], &node.tensor),
        };
        let wanted: Vec<bool> = inputs.iter().map(|input| self.reaches(input)).collect();
        if !wanted.contains(&true) {
            return Ok(());
        }
        let zeros = || Tensor::zeros(node.tensor.shape(), node.tensor.dtype(), &node.tensor.device());
        let own = match &found.own {
            Some(own) => own.clone(),
            None if found.saved.is_empty() => return Ok(()),
            None => zeros()?,
        };
        if let Op::Saved { index } = record.op {
            return self.add_to(cotangents, &record.inputs[0], Some(index), own);
        }
        let view = |tensor: &Tensor| if keep == Keep::No { tensor.detach() } else { tensor.clone() };
        let site = Site {
            op,
            inputs: &inputs.iter().map(view).collect::<Vec<_>>(),
            output: &view(output),
            wanted: &wanted,
            saved: &found.saved,
            keep,
            grad,
        };
        let parts = watch::pulling_back(op, || rule(&site, &own))?;
        for (input, part) in inputs.iter().zip(parts) {
            if let Some(part) = part {
                let fits = part.shape() == input.shape() || matches!(op, Op::Sum { .. });
                debug_assert!(fits, "rule of {}", op.name());
                self.add(cotangents, input, part)?;
            }
        }
        Ok(())
    }
}
