//! What a service handles, and how it is found: events, functions and resources by their event type, notifications by
//! type and channel. The two never meet: what a message is, its task says, whichever queue it came through.

use std::collections::HashMap;

use zc_events_protocol::{Channel, Task, names};

use super::handler::{Called, EventHandler};
use super::retry::Retry;
use super::view::ResourceView;

/// What a message leads to.
pub(super) enum Route {
    Event { handler: EventHandler, retry: Option<Retry> },
    Call { handler: Called, retry: Option<Retry> },
    Resource { name: String, view: Box<dyn ResourceView> },
}

impl Route {
    /// Whether somebody may wait for the answer.
    pub(super) fn answers(&self) -> bool {
        !matches!(self, Route::Event { .. })
    }

    /// The policy of its own for what nobody waits for.
    pub(super) fn retry(&self) -> Option<&Retry> {
        match self {
            Route::Event { retry, .. } | Route::Call { retry, .. } => retry.as_ref(),
            Route::Resource { .. } => None,
        }
    }
}

/// What a message is, by its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Event,
    Notification,
}

impl Kind {
    pub(super) fn of(task: &Task) -> Option<Self> {
        match task.task.as_str() {
            names::EVENT_TASK => Some(Kind::Event),
            names::NOTIFICATION_TASK => Some(Kind::Notification),
            _ => None,
        }
    }
}

/// By what a route is found.
#[derive(Clone)]
pub(super) enum Key {
    Event(String),
    /// Without a channel: those of all channels that have no route of their own.
    Notification(Option<Channel>, String),
}

/// All routes of a service.
#[derive(Default)]
pub(super) struct Routes {
    events: HashMap<String, Route>,
    notifications: HashMap<String, Vec<(Option<Channel>, Route)>>,
}

impl Routes {
    /// Adds a route. `false` where there was one.
    pub(super) fn add(&mut self, key: &Key, route: Route) -> bool {
        match key {
            Key::Event(event_type) => self.events.insert(event_type.clone(), route).is_none(),
            Key::Notification(channel, event_type) => {
                let routes = self.notifications.entry(event_type.clone()).or_default();
                let is_new = routes.iter().all(|(known, _)| known != channel);
                routes.push((*channel, route));
                is_new
            }
        }
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Route> {
        match key {
            Key::Event(event_type) => self.events.get_mut(event_type),
            Key::Notification(channel, event_type) => {
                let mut routes = self.notifications.get_mut(event_type)?.iter_mut();
                routes.find(|(known, _)| known == channel).map(|(_, route)| route)
            }
        }
    }

    /// The route of a message, and its event type.
    pub(super) fn find(&self, kind: Kind, event_type: &str, channel: Option<Channel>) -> Option<(&str, &Route)> {
        match kind {
            Kind::Event => self.events.get_key_value(event_type).map(|(known, route)| (known.as_str(), route)),
            Kind::Notification => {
                let (known, routes) = self.notifications.get_key_value(event_type)?;
                let of = |channel| routes.iter().find(|(known, _)| *known == channel);
                of(channel).or_else(|| of(None)).map(|(_, route)| (known.as_str(), route))
            }
        }
    }

    /// Whether a message of that type may have a route, whatever it is.
    pub(super) fn know(&self, event_type: &str) -> bool {
        self.events.contains_key(event_type) || self.notifications.contains_key(event_type)
    }

    /// All types of messages that have a route.
    pub(super) fn event_types(&self) -> Vec<String> {
        self.events.keys().chain(self.notifications.keys()).cloned().collect()
    }

    /// Whether somebody may wait for the answer to an event of that type.
    pub(super) fn answer(&self, event_type: &str) -> bool {
        self.events.get(event_type).is_some_and(Route::answers)
    }

    /// Whether any route is one whose answer somebody may wait for.
    pub(super) fn answer_any(&self) -> bool {
        self.events.values().any(Route::answers)
    }

    pub(super) fn has_notifications(&self) -> bool {
        !self.notifications.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(attempts: u32) -> Route {
        Route::Event { handler: Box::new(|_, _| Ok(())), retry: Some(Retry::attempts(attempts)) }
    }

    fn found(routes: &Routes, kind: Kind, channel: Option<Channel>) -> Option<u32> {
        routes.find(kind, "e", channel).map(|(_, route)| route.retry().unwrap().limit())
    }

    #[test]
    fn events_and_notifications_of_one_name_are_two_and_a_channel_goes_before_all() {
        let mut routes = Routes::default();
        assert!(routes.add(&Key::Event("e".into()), route(1)) && !routes.has_notifications());
        assert!(routes.add(&Key::Notification(None, "e".into()), route(2)));
        assert!(routes.add(&Key::Notification(Some(Channel::Text), "e".into()), route(3)));
        assert_eq!(found(&routes, Kind::Event, Some(Channel::Text)), Some(1));
        assert_eq!(found(&routes, Kind::Notification, Some(Channel::Text)), Some(3));
        assert_eq!(found(&routes, Kind::Notification, Some(Channel::Push)), Some(2));
        assert_eq!(found(&routes, Kind::Notification, None), Some(2));
        assert!(!routes.add(&Key::Notification(Some(Channel::Text), "e".into()), route(4)));
        assert!(routes.know("e") && !routes.know("f") && !routes.answer("e") && !routes.answer_any());
    }

    #[test]
    fn what_is_for_one_channel_is_for_no_other_and_not_for_an_unknown_one() {
        let mut routes = Routes::default();
        routes.add(&Key::Notification(Some(Channel::Email), "e".into()), route(1));
        assert_eq!(found(&routes, Kind::Notification, Some(Channel::Email)), Some(1));
        assert_eq!(found(&routes, Kind::Notification, Some(Channel::Text)), None);
        assert_eq!(found(&routes, Kind::Notification, None), None);
        assert_eq!(found(&routes, Kind::Event, None), None);
        assert!(routes.know("e") && routes.has_notifications());
    }
}
