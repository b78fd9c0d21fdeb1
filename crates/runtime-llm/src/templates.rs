//! Templates for models whose files have none.

/// The template of chats with models of this architecture, as their makers document it.
pub(crate) fn of_architecture(architecture: &str) -> Option<&'static str> {
    match architecture {
        // https://ai.google.dev/gemma/docs/core/prompt-structure
        "gemma" | "gemma2" | "gemma3" => Some(include_str!("templates/gemma.jinja")),
        _ => None,
    }
}
