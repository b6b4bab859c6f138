//! Sets read by kernel regression.

use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_host::Decoded;
use pddflow_runner::{Artifact, NodeContext};
use pddflow_tensor::RandomKey;
use pddflow_training::evaluation::Point;
use pddflow_training::recipe::{NetsParams, own_regression};
use pddflow_training::regression::{FeatureNet, Kernel, Regression, accuracy, feature_weights};
use pddflow_training::segments::{JoinedSets, Training, stage_sets};
use pddflow_training::sets::LoadedSet;
use pddflow_training::splits::{Prepared, Split};
use pddflow_training::stored::{Pool, Wanted, net_data, specs_of};
use pddflow_training::summary::Summary;
use pddflow_training::trainer::Segment;

use super::params::RegressionParams;
use crate::surroundings::Surroundings;

/// What is read.
pub(super) struct Reading<'a> {
    pub(super) surroundings: &'a Surroundings,
    pub(super) data: &'a Prepared,
    pub(super) sets: &'a [LoadedSet],
    pub(super) given: &'a NetsParams,
    pub(super) training: Training,
}

/// What was found, and by what.
pub(super) struct Found {
    pub(super) regression: Regression,
    pub(super) summary: Summary,
}

impl Reading<'_> {
    /// The accuracy on the union of the sets of each stage: once for a kernel in closed form, else as often as `nets` says, each time
    /// with nets of its own.
    ///
    /// # Errors
    /// No kernel is named; it cannot be inverted; a net fails.
    pub(super) fn of(
        &self,
        params: &RegressionParams,
        start: &[Artifact],
        context: &NodeContext<'_>,
    ) -> NodeResult<Found> {
        let regression = self.regression(params)?;
        let decoded: Vec<Decoded> = self.sets.iter().map(|set| set.decoded.clone()).collect();
        let joined = JoinedSets::new(&decoded, self.data.classes)?;
        let stages = stage_sets(self.training, self.sets.len());
        let segments: Vec<Segment> = (1..=stages.len())
            .zip(&stages)
            .map(|(stage, sets)| Segment { stage, ..joined.segment(sets.clone(), 0.0) })
            .collect();
        let held_out = if self.data.has_held_out() { Some(self.data.held_out()?) } else { None };
        let test = self.data.test()?;
        let points = |nets: &[FeatureNet<'_>]| -> NodeResult<Vec<Point>> {
            let stop = || context.cancelled();
            let share = |split: &Split, segment: &Segment| {
                let rows = segment.rows.as_deref().unwrap_or_default();
                let set = segment.samples.take(rows).during("joining the sets")?;
                let on = (&split.samples().images, split.classes_of_rows());
                accuracy(&regression, nets, (&set, self.data.classes), on, &stop)
            };
            let point = |(number, segment): (usize, &Segment)| {
                let held_out = held_out.as_deref().map(|split| share(split, segment)).transpose()?;
                Ok(Point { segment: number, epoch: 0, test: share(&test, segment)?, held_out })
            };
            segments.iter().enumerate().map(point).collect()
        };
        let read = match &regression.kernel {
            Kernel::FullyConnected { .. } => vec![points(&[])?],
            Kernel::Features { nets, gaussian, .. } => self.by_features((*nets, *gaussian), start, context, &points)?,
        };
        Ok(Found { summary: Summary::of(&read, &segments), regression })
    }

    fn regression(&self, params: &RegressionParams) -> NodeResult<Regression> {
        let carried: Vec<_> = self.sets.iter().map(|set| &set.recipe).collect();
        let own = own_regression(&carried)?;
        let kernel = params.kernel.clone().or_else(|| own.as_ref().map(|own| own.kernel.clone())).ok_or_else(|| {
            fail("no_kernel", "the last set does not say by which kernel it is read")
                .with_help("for example `regression: { kernel: { fully_connected: { depth: 1 } } }`")
        })?;
        let ridge = params.ridge.or(own.map(|own| own.ridge)).unwrap_or(1e-6);
        Ok(Regression { kernel, ridge })
    }

    fn by_features(
        &self,
        (nets, gaussian): (usize, bool),
        start: &[Artifact],
        context: &NodeContext<'_>,
        points: &dyn Fn(&[FeatureNet<'_>]) -> NodeResult<Vec<Point>>,
    ) -> NodeResult<Vec<Vec<Point>>> {
        let choice = self.given.net()?;
        let registry = self.surroundings.plugins().open()?;
        let model = registry.model(&choice.id, &choice.config).map_err(|error| from_plugin(&error))?;
        let about = net_data(self.data);
        let specs = specs_of(&model, &about)?;
        let (device, dtype) = (self.surroundings.device(), self.surroundings.dtype());
        let wanted = Wanted { choice, specs: &specs, data: &about, device, dtype };
        let pool = Pool::open(context, start)?;
        pool.check(start, &wanted)?;
        let all = nets * self.given.nets;
        if (1..all).contains(&pool.count()) {
            return Err(fail("no_such_net", format!("`start` has {} nets for {all}", pool.count()))
                .with_help("lower `nets`, here or in the kernel, or wire more shards"));
        }
        let net = |number: usize| {
            let key = RandomKey::new(self.given.seed).fold("evaluate").fold_u64(number as u64).fold("weights");
            let weights = match pool.count() {
                0 => feature_weights(&specs, gaussian, key, (dtype, device))?,
                _ => pool.at(number, &wanted)?,
            };
            Ok(FeatureNet { model: &model, weights })
        };
        let one = |reading: usize| {
            let nets = (reading * nets..(reading + 1) * nets).map(net).collect::<NodeResult<Vec<_>>>()?;
            points(&nets)
        };
        (0..self.given.nets).map(one).collect()
    }
}
