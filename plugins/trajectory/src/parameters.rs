//! The parameters that all matchers of trajectories have.

/// Declares the parameters of a matcher of trajectories, [`pddflow_sdk::parameters!`] with the shared ones added, and gives them the
/// function `settings`. Fields called `augment`, `syn_steps` and so on are those of the table in the expansion.
#[macro_export]
macro_rules! parameters {
    ($(#[$about:meta])* struct $name:ident { $($own:tt)* }) => {
        pddflow_sdk::parameters! {
            $(#[$about])*
            struct $name {
                /// Learning rate of the images. MTT's paper: 100 for CIFAR-10 up to 10 images per class, 1000 for more and for
                /// CIFAR-100, 10000 for Tiny-ImageNet.
                #[schemars(range(min = 0.0))]
                lr: f64 = 1000.0,
                /// Momentum of the images.
                #[schemars(range(min = 0.0, max = 1.0))]
                momentum: f64 = 0.5,
                /// Steps of the student (N). With 0 it does not move: the loss is 1 and nothing is learned.
                #[schemars(range(max = 10000))]
                syn_steps: usize = 20,
                /// Epochs of the expert from the start of a segment to its target (M).
                #[schemars(range(min = 1))]
                expert_epochs: u64 = 2,
                /// First start epoch.
                min_start: u64 = 0,
                /// End of the start epochs, exclusive (T+): they are uniform in `min_start..max_start`.
                #[schemars(range(min = 1))]
                max_start: u64 = 20,
                /// End of the start epochs at the first iteration, growing linearly to `max_start` (DATM); if not given, it is
                /// `max_start` at once.
                expand_from: Option<u64> = None,
                /// Iterations until the end of the start epochs is `max_start`; all if not given.
                #[schemars(range(min = 1))]
                expand_iterations: Option<u64> = None,
                /// Images in a mini-batch of the student; classes times images per class of the new set if not given.
                #[schemars(range(min = 1))]
                batch_syn: Option<usize> = None,
                /// First value of the student's learned learning rate (alpha).
                #[schemars(range(min = 1e-9))]
                lr_teacher: f64 = 0.01,
                /// Learning rate of the learned learning rate.
                #[schemars(range(min = 0.0))]
                lr_lr: f64 = 1e-5,
                /// Momentum of the learned learning rate.
                #[schemars(range(min = 0.0, max = 1.0))]
                momentum_lr: f64 = 0.5,
                /// Lower bound of the learned learning rate, to which it is raised after each update; `null` for none, as released.
                lr_floor: Option<f64> = Some(1e-4),
                /// Upper bound of the learned learning rate; above it the iteration counts as blown up.
                #[schemars(range(min = 0.0))]
                lr_limit: f64 = 1.0,
                /// How the images start.
                init: $crate::First = $crate::First::Real,
                /// Augmentation of the student's training, drawn per image: `dsa:...`, or `none`. Leave out `flip` for digits.
                augment: String = "dsa:color_crop_cutout_flip_scale_rotate".to_owned(),
                /// Losses above this are blow-ups; a student that does not move has the loss 1.
                #[schemars(range(min = 1.0))]
                loss_limit: f64 = 10.0,
                /// Iterations with a loss above this make no step, and draw nothing anew (DATM); `null` for none. The metric `skipped` is 1 then.
                #[schemars(range(min = 0.0))]
                skip_above: Option<f64> = None,
                /// Blow-ups in a row that are undone before the run fails.
                #[schemars(range(max = 1000))]
                retries: u64 = 5,
                $($own)*
            }
        }

        impl $name {
            /// What the shared parameters mean.
            fn settings(&self) -> $crate::Settings<'_> {
                $crate::Settings {
                    images: (self.init, self.lr, self.momentum),
                    rate: $crate::LearnedRate {
                        first: self.lr_teacher,
                        lr: self.lr_lr,
                        momentum: self.momentum_lr,
                        floor: self.lr_floor.unwrap_or(f64::NEG_INFINITY),
                    },
                    window: $crate::Window {
                        min: self.min_start,
                        max: self.max_start,
                        expand_from: self.expand_from,
                        expand_iterations: self.expand_iterations,
                    },
                    epochs: self.expert_epochs,
                    batch: self.batch_syn,
                    augment: &self.augment,
                    skip_above: self.skip_above,
                    variants: 1,
                    limits: $crate::Limits { loss: self.loss_limit, rate: self.lr_limit, retries: self.retries },
                }
            }
        }
    };
}
