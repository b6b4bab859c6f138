//! Numbers of a step of gradient descent.

/// Gradient descent with momentum and weight decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// Learning rate; outside the buffer, so that a change acts at once.
    pub lr: f64,
    /// What is left of the buffer; with 0 there is none.
    pub momentum: f64,
    /// Part of the weight that is added to the gradient.
    pub weight_decay: f64,
    /// Whether the step looks ahead: `d + momentum * buffer` in place of the buffer (as PyTorch has Nesterov's).
    pub nesterov: bool,
}
