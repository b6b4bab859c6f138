//! Deep generative prior (GLaD).
//!
//! An iteration makes all images of the set, takes the gradient of the base's loss at the images, pulls it back through the decoder, and
//! makes one SGD step on what layer `layer` receives.
//!
//! | `base` | loss | learning rate of latents, of maps |
//! |---|---|---|
//! | `dm` | that of DM: means of features, a net each iteration | 0.01, 10 |
//! | `dc` | that of DC: gradients of a net's loss, a net each iteration | 0.001, 1 |
//! | `mtt` | that of MTT: where a student comes against where an expert did; the student's learning rate is learned too | 10, 10000 |

use crate::decoder::{Decoder, images};
use pddflow_sdk::{
    Decoded, Description, Error, Iteration, Keep, Kind, Learnable, Learnables, Matcher, Mode, Need, Part, Problem,
    Result, Rows, Start, Tensor, Tensors, gradient_distance, gradients,
};
use pddflow_trajectory::{First, LearnedRate, Limits, Settings, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maps start within this.
const MAP_LIMIT: f64 = 10.0;
/// What is learned.
pub(crate) const LEARNED: &str = "latents";

/// The method whose loss is lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Base {
    /// Distribution matching.
    Dm,
    /// Gradient matching.
    Dc,
    /// Matching of trajectories.
    Mtt,
}

/// How latents start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LatentInit {
    /// Those of random training images of the class.
    Real,
    /// Normal, of a length of about 1.
    Noise,
}

pddflow_sdk::parameters! {
    /// Parameters of GLaD.
    pub(crate) struct Glad {
        /// The method whose loss is lowered.
        base: Base = Base::Dm,
        /// What is learned: 0 for latents, k for the maps that the k-th layer behind the first receives; the decoder's layers from there on make
        /// images of it.
        layer: usize = 0,
        /// How latents start.
        init: LatentInit = LatentInit::Real,
        /// Learning rate. If not given, the paper's: see the table of the method.
        #[schemars(range(min = 0.0))]
        lr: Option<f64> = None,
        /// Momentum.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.5,
        /// Real images per class and iteration; of `dm` and `dc`.
        #[schemars(range(min = 1))]
        batch: usize = 256,
        /// Augmentation of both sides, one draw for all images of a class: `dsa:...`, or `none`. Leave out `flip` for digits.
        augment: String = "dsa:color_crop_cutout_flip_scale_rotate".to_owned(),
        /// Steps of the student; this and all below are of `mtt` and mean what they mean there.
        #[schemars(range(max = 10000))]
        syn_steps: usize = 20,
        /// Epochs of the expert from the start of a segment to its target.
        #[schemars(range(min = 1))]
        expert_epochs: u64 = 3,
        /// First start epoch.
        min_start: u64 = 0,
        /// End of the start epochs, exclusive.
        #[schemars(range(min = 1))]
        max_start: u64 = 5,
        /// Images in a mini-batch of the student; those of one set if not given.
        #[schemars(range(min = 1))]
        batch_syn: Option<usize> = None,
        /// First value of the student's learned learning rate.
        #[schemars(range(min = 1e-9))]
        lr_teacher: f64 = 0.01,
        /// Learning rate of the learned learning rate.
        #[schemars(range(min = 0.0))]
        lr_lr: f64 = 1e-6,
        /// Momentum of the learned learning rate.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum_lr: f64 = 0.5,
        /// Lower bound of the learned learning rate; `null` for none.
        lr_floor: Option<f64> = Some(1e-4),
        /// Upper bound of the learned learning rate; above it the iteration counts as blown up.
        #[schemars(range(min = 0.0))]
        lr_limit: f64 = 1.0,
        /// Losses above this are blow-ups; a student that does not move has the loss 1.
        #[schemars(range(min = 1.0))]
        loss_limit: f64 = 10.0,
        /// Blow-ups in a row that are undone before the run fails.
        #[schemars(range(max = 1000))]
        retries: u64 = 5,
    }
}

impl Glad {
    fn lr(&self) -> f64 {
        self.lr.unwrap_or(match (self.base, self.layer) {
            (Base::Dm, 0) => 0.01,
            (Base::Dc, 0) => 0.001,
            (Base::Mtt, 0) | (Base::Dm, _) => 10.0,
            (Base::Dc, _) => 1.0,
            (Base::Mtt, _) => 10_000.0,
        })
    }

    /// How trajectories are matched.
    fn settings(&self) -> Settings<'_> {
        Settings {
            images: (First::Real, self.lr(), self.momentum),
            rate: LearnedRate {
                first: self.lr_teacher,
                lr: self.lr_lr,
                momentum: self.momentum_lr,
                floor: self.lr_floor.unwrap_or(f64::NEG_INFINITY),
            },
            window: Window { min: self.min_start, max: self.max_start, expand_from: None, expand_iterations: None },
            epochs: self.expert_epochs,
            batch: self.batch_syn,
            augment: &self.augment,
            skip_above: None,
            variants: 1,
            limits: Limits { loss: self.loss_limit, rate: self.lr_limit, retries: self.retries },
        }
    }
}

/// Latents that training images of each class have, chosen at random: those at the places `key.fold_u64(class).choose(..)` of the class.
pub(crate) fn of_real<'call>(
    description: &Description<'call>,
    tensors: &Tensors<'call>,
    (problem, latent): (&Problem, usize),
) -> Result<Tensor<'call>> {
    let (all, counts) = match (tensors.find("latents"), tensors.find("latent_counts")) {
        (Some(all), Some(counts)) => (all, counts.to_i64_vec()?),
        _ => {
            return Err(Error::config(
                "the generator comes without the latents of training images: `init: noise` needs none",
            ));
        }
    };
    let (shape, key) = (all.shape()?, description.key()?.fold("real")?);
    let total: i64 = counts.iter().sum();
    if counts.len() != problem.classes || shape != [usize::try_from(total).unwrap_or(0), latent] {
        return Err(Error::config(format!(
            "the generator's `latents` {shape:?} are not those that `latent_counts` counts"
        )));
    }
    let (mut chosen, mut first) = (Vec::new(), 0);
    for (class, count) in counts.iter().enumerate() {
        let count = usize::try_from(*count).unwrap_or(0);
        if count < problem.ipc {
            let message = format!("`ipc` is {}, but class {class} has latents of only {count} images", problem.ipc);
            return Err(Error::config(message));
        }
        let places = key.fold_u64(class as u64)?.choose(count, problem.ipc)?;
        chosen.push(all.slice(0, first, first + count, 1)?.gather(0, &places)?);
        first += count;
    }
    Tensor::concat(&chosen, 0)
}

impl Matcher for Glad {
    const ID: &'static str = "glad";
    const SUMMARY: &'static str =
        "Latents of a generator by the loss of DM, DC or MTT: GLaD (Cazenavette et al., CVPR 2023)";
    const REVISION: u32 = 2;
    const DECODES: bool = true;

    fn check(&self) -> Result<()> {
        if self.base == Base::Mtt { self.settings().check() } else { Ok(()) }
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        if self.base == Base::Mtt {
            self.settings().describe_all_but_images(description)?;
        } else {
            description.need(Need::Model)?;
            description.recipe(&pddflow_sdk::recipe(1000, &self.augment))?;
        }
        let Some(tensors) = description.input("a generator")? else { return Ok(()) };
        let decoder = Decoder::new(&tensors, problem)?;
        if self.layer > decoder.convs {
            let message = format!("`layer` is {}, and the generator's last is {}", self.layer, decoder.convs);
            return Err(Error::config(message));
        }
        let latents = match self.init {
            LatentInit::Real => of_real(description, &tensors, (problem, decoder.latent))?,
            LatentInit::Noise => {
                let shape = [problem.classes * problem.ipc, decoder.latent];
                (&description.key()?.fold("noise")?.normal(&shape)? * (1.0 / (decoder.latent as f64).sqrt()))?
            }
        };
        let first = match self.layer {
            0 => latents,
            layer => {
                let labels = labels(problem, description.call())?;
                decoder.received(layer, &latents, &labels, problem)?.clamp(-MAP_LIMIT, MAP_LIMIT)?
            }
        };
        let learned = Learnable::new(Kind::Images, LEARNED, &first.shape()?, Start::Given, self.lr());
        description.learnable_from(&learned.with_momentum(self.momentum), &first)?;
        decoder.keep(self.layer, description)
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        decoded(problem, learnables, self.layer)
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let net = || run.start_weights(run.key().fold("net")?);
        let images = run.set(&Rows::all(Part::New))?.images;
        let (at_images, loss) = match self.base {
            Base::Mtt => {
                return self.settings().iterate(run, &[LEARNED], |attempt| attempt.exact(self.syn_steps, &[LEARNED]));
            }
            Base::Dm => {
                let net = net()?;
                run.sum_over_by(&images, &run.synthetic_groups()?, |classes| {
                    run.feature_distance(&net, classes, (self.batch, &self.augment), run.key())
                })?
            }
            Base::Dc => {
                let mode = if run.has_statistics()? { Mode::Eval } else { Mode::Train };
                let key = run.key().fold("outer")?.fold_u64(0)?;
                let weights = run.with_statistics(&net()?, key.fold("statistics")?)?;
                let theta = run.leaves(&weights, |weight| weight.learnable)?;
                run.sum_over_by(&images, &run.classes_apart(), |class| {
                    let real = run.real(class, self.batch, &self.augment, key)?;
                    let wanted = theta.gradient(run, &real.set, mode, Keep::No)?;
                    let synthetic = run.synthetic(class, None, &self.augment, key)?;
                    gradient_distance(&wanted, &theta.gradient(run, &synthetic.set, mode, Keep::OnTape)?)
                })?
            }
        };
        pull_back(run, &images, at_images)?;
        run.metric("loss", loss / run.problem().classes as f64)
    }
}

/// Images of what a layer receives, and their classes.
pub(crate) fn decoded<'call>(
    problem: &Problem,
    learnables: &Learnables<'call>,
    layer: usize,
) -> Result<Decoded<'call>> {
    let labels = labels(problem, learnables.call())?;
    Ok(Decoded { images: images(learnables, layer, learnables.get(LEARNED)?, &labels, problem)?, labels })
}

/// A step of the latents along a gradient at the images.
pub(crate) fn pull_back<'call>(run: &Iteration<'call>, images: &Tensor<'call>, at: Tensor<'call>) -> Result<()> {
    let learned = [run.learnable(LEARNED)?];
    let gradient = gradients(std::slice::from_ref(images), Some(&[at]), &learned, Keep::No)?;
    gradient.iter().try_for_each(|gradient| run.step(LEARNED, gradient))
}

fn labels<'call>(problem: &Problem, call: pddflow_sdk::Call<'call>) -> Result<Tensor<'call>> {
    let labels = problem.labels();
    Tensor::from_i64(call, &labels, &[labels.len()])
}
