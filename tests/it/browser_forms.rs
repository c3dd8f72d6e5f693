//! The pages, used through their own links and forms.
