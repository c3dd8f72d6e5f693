//! What receivers of webhooks are told.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookEvent {
    LicenseCreated,
    LicenseUpdated,
    LicenseMoved,
    LicenseDeleted,
    /// Many at once.
    LicensesUpdated,
    LicensesImported,
    TrialStarted,
    CodesCreated,
    CodeUpdated,
    CodeActivated,
    OrderCreated,
    CustomerUpdated,
    CustomerErased,
    ToolRenamed,
    /// By hand, for one receiver.
    Test,
}

impl WebhookEvent {
    /// In the order in which they are listed on pages; people choose from all but the last one.
    pub const ALL: [WebhookEvent; 15] = [
        WebhookEvent::LicenseCreated,
        WebhookEvent::LicenseUpdated,
        WebhookEvent::LicenseMoved,
        WebhookEvent::LicenseDeleted,
        WebhookEvent::LicensesUpdated,
        WebhookEvent::LicensesImported,
        WebhookEvent::TrialStarted,
        WebhookEvent::OrderCreated,
        WebhookEvent::CodesCreated,
        WebhookEvent::CodeUpdated,
        WebhookEvent::CodeActivated,
        WebhookEvent::CustomerUpdated,
        WebhookEvent::CustomerErased,
        WebhookEvent::ToolRenamed,
        WebhookEvent::Test,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            WebhookEvent::LicenseCreated => "license.created",
            WebhookEvent::LicenseUpdated => "license.updated",
            WebhookEvent::LicenseMoved => "license.moved",
            WebhookEvent::LicenseDeleted => "license.deleted",
            WebhookEvent::LicensesUpdated => "licenses.updated",
            WebhookEvent::LicensesImported => "licenses.imported",
            WebhookEvent::TrialStarted => "trial.started",
            WebhookEvent::OrderCreated => "order.created",
            WebhookEvent::CodesCreated => "codes.created",
            WebhookEvent::CodeUpdated => "code.updated",
            WebhookEvent::CodeActivated => "code.activated",
            WebhookEvent::CustomerUpdated => "customer.updated",
            WebhookEvent::CustomerErased => "customer.erased",
            WebhookEvent::ToolRenamed => "tool.renamed",
            WebhookEvent::Test => "webhook.test",
        }
    }

    /// For people.
    pub fn about(self) -> &'static str {
        match self {
            WebhookEvent::LicenseCreated => "a license was added",
            WebhookEvent::LicenseUpdated => "a license was changed",
            WebhookEvent::LicenseMoved => "a license was moved to another machine",
            WebhookEvent::LicenseDeleted => "a license was deleted, also by its customer",
            WebhookEvent::LicensesUpdated => "many licenses were changed at once",
            WebhookEvent::LicensesImported => "licenses were imported",
            WebhookEvent::TrialStarted => "a machine started a trial",
            WebhookEvent::OrderCreated => "an order was placed",
            WebhookEvent::CodesCreated => "activation codes were created or imported",
            WebhookEvent::CodeUpdated => "an activation code was changed",
            WebhookEvent::CodeActivated => "a machine was activated with a code",
            WebhookEvent::CustomerUpdated => "a customer was changed or merged",
            WebhookEvent::CustomerErased => "a customer was erased",
            WebhookEvent::ToolRenamed => "a tool was renamed",
            WebhookEvent::Test => "you sent a test event",
        }
    }

    pub fn from_word(word: &str) -> Option<WebhookEvent> {
        WebhookEvent::ALL
            .into_iter()
            .find(|event| event.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_an_example() {
        let docs = include_str!("../../docs/webhooks.md");
        for event in WebhookEvent::ALL {
            let example = format!("\"type\": \"{}\"", event.as_str());
            assert!(docs.contains(&example), "{example}");
        }
    }
}
