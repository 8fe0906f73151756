//! What a service handles, and how it is found: events, functions and resources by their event type, notifications by
//! type and channel. The two never meet: what a message is, its task says, whichever queue it came through.

use std::collections::HashMap;

use zc_events_protocol::Channel;

use crate::service::handler::{Called, EventHandler};
use crate::service::kind::TaskKind;
use crate::service::resource_view::ResourceView;
use crate::service::retry::Retry;

/// What a message leads to.
pub(in crate::service) enum Route {
    Event { handler: EventHandler, retry: Option<Retry> },
    Call { handler: Called, retry: Option<Retry> },
    Resource { name: String, view: Box<dyn ResourceView> },
}

impl Route {
    /// Whether a caller may wait for the answer.
    pub(in crate::service) fn answers(&self) -> bool {
        !matches!(self, Route::Event { .. })
    }

    /// The retry policy of its own for messages whose sender waits for no answer.
    pub(in crate::service) fn retry(&self) -> Option<&Retry> {
        match self {
            Route::Event { retry, .. } | Route::Call { retry, .. } => retry.as_ref(),
            Route::Resource { .. } => None,
        }
    }
}

/// By what a route is found.
#[derive(Clone)]
pub(in crate::service) enum RouteKey {
    Event(String),
    /// Without a channel: those of all channels that have no route of their own.
    Notification(Option<Channel>, String),
}

/// All routes of a service.
#[derive(Default)]
pub(in crate::service) struct Routes {
    events: HashMap<String, Route>,
    notifications: HashMap<String, Vec<(Option<Channel>, Route)>>,
}

impl Routes {
    /// Adds a route. `false` where there was one.
    pub(in crate::service) fn add(&mut self, key: &RouteKey, route: Route) -> bool {
        match key {
            RouteKey::Event(event_type) => self.events.insert(event_type.clone(), route).is_none(),
            RouteKey::Notification(channel, event_type) => {
                let routes = self.notifications.entry(event_type.clone()).or_default();
                let is_new = routes.iter().all(|(known, _)| known != channel);
                routes.push((*channel, route));
                is_new
            }
        }
    }

    pub(in crate::service) fn get_mut(&mut self, key: &RouteKey) -> Option<&mut Route> {
        match key {
            RouteKey::Event(event_type) => self.events.get_mut(event_type),
            RouteKey::Notification(channel, event_type) => {
                let mut routes = self.notifications.get_mut(event_type)?.iter_mut();
                routes.find(|(known, _)| known == channel).map(|(_, route)| route)
            }
        }
    }

    /// The route of a message, and its event type.
    pub(in crate::service) fn find(
        &self,
        kind: TaskKind,
        event_type: &str,
        channel: Option<Channel>,
    ) -> Option<(&str, &Route)> {
        match kind {
            TaskKind::Event => self.events.get_key_value(event_type).map(|(known, route)| (known.as_str(), route)),
            TaskKind::Notification => {
                let (known, routes) = self.notifications.get_key_value(event_type)?;
                let of = |channel| routes.iter().find(|(known, _)| *known == channel);
                of(channel).or_else(|| of(None)).map(|(_, route)| (known.as_str(), route))
            }
        }
    }

    /// Whether a message of that type may have a route, whatever it is.
    pub(in crate::service) fn know(&self, event_type: &str) -> bool {
        self.events.contains_key(event_type) || self.notifications.contains_key(event_type)
    }

    /// All types of messages that have a route.
    pub(in crate::service) fn event_types(&self) -> Vec<String> {
        self.events.keys().chain(self.notifications.keys()).cloned().collect()
    }

    /// Whether a caller may wait for the answer to an event of that type.
    pub(in crate::service) fn answer(&self, event_type: &str) -> bool {
        self.events.get(event_type).is_some_and(Route::answers)
    }

    /// Whether a caller may wait for the answer of any route.
    pub(in crate::service) fn answer_any(&self) -> bool {
        self.events.values().any(Route::answers)
    }

    pub(in crate::service) fn has_notifications(&self) -> bool {
        !self.notifications.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(attempts: u32) -> Route {
        Route::Event { handler: Box::new(|_| Ok(())), retry: Some(Retry::attempts(attempts)) }
    }

    fn found(routes: &Routes, kind: TaskKind, channel: Option<Channel>) -> Option<u32> {
        routes.find(kind, "e", channel).map(|(_, route)| route.retry().unwrap().limit())
    }

    #[test]
    fn events_and_notifications_of_one_name_are_two_and_a_channel_goes_before_all() {
        let mut routes = Routes::default();
        assert!(routes.add(&RouteKey::Event("e".into()), route(1)) && !routes.has_notifications());
        assert!(routes.add(&RouteKey::Notification(None, "e".into()), route(2)));
        assert!(routes.add(&RouteKey::Notification(Some(Channel::Text), "e".into()), route(3)));
        assert_eq!(found(&routes, TaskKind::Event, Some(Channel::Text)), Some(1));
        assert_eq!(found(&routes, TaskKind::Notification, Some(Channel::Text)), Some(3));
        assert_eq!(found(&routes, TaskKind::Notification, Some(Channel::Push)), Some(2));
        assert_eq!(found(&routes, TaskKind::Notification, None), Some(2));
        assert!(!routes.add(&RouteKey::Notification(Some(Channel::Text), "e".into()), route(4)));
        assert!(routes.know("e") && !routes.know("f") && !routes.answer("e") && !routes.answer_any());
    }

    #[test]
    fn what_is_for_one_channel_is_for_no_other_and_not_for_an_unknown_one() {
        let mut routes = Routes::default();
        routes.add(&RouteKey::Notification(Some(Channel::Email), "e".into()), route(1));
        assert_eq!(found(&routes, TaskKind::Notification, Some(Channel::Email)), Some(1));
        assert_eq!(found(&routes, TaskKind::Notification, Some(Channel::Text)), None);
        assert_eq!(found(&routes, TaskKind::Notification, None), None);
        assert_eq!(found(&routes, TaskKind::Event, None), None);
        assert!(routes.know("e") && routes.has_notifications());
    }
}
