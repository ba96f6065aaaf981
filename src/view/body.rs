//! What a view saw: a value of the view's own type, carried by code that does not know it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::{View, ViewName};

/// What a view saw of one scenario.
#[derive(Clone)]
pub struct Body {
    view: ViewName,
    value: Arc<dyn Any + Send + Sync>,
}

impl Body {
    /// Wraps what this view saw.
    #[must_use]
    pub fn new<V: View>(value: V::Body) -> Body {
        Body {
            view: V::NAME,
            value: Arc::new(value),
        }
    }

    /// What this view saw; none when it is another view's.
    #[must_use]
    pub fn get<V: View>(&self) -> Option<&V::Body> {
        self.value.downcast_ref().filter(|_| self.view == V::NAME)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.view.view().map(|view| view.text(self));
        write!(f, "{}: {text:?}", self.view)
    }
}
