//! The dashboard's colours, for dark and light terminals; none under `NO_COLOR`.

use ratatui::style::{Color, Modifier, Style};

/// How parts of the picture are set off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    has_color: bool,
}

impl Palette {
    /// Colours unless the user wants none.
    pub(super) fn of_environment() -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { has_color: !is_refused }
    }

    fn colored(self, color: Color) -> Style {
        if self.has_color { Style::new().fg(color) } else { Style::new() }
    }

    pub(super) fn plain(self) -> Style {
        Style::new().remove_modifier(Modifier::BOLD)
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn dim(self) -> Style {
        self.colored(Color::DarkGray).remove_modifier(Modifier::BOLD)
    }

    pub(super) fn accent(self) -> Style {
        self.colored(Color::Cyan)
    }

    pub(super) fn badge(self) -> Style {
        match self.has_color {
            true => Style::new().fg(Color::Black).bg(Color::Cyan).add_modifier(Modifier::BOLD),
            false => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
        }
    }

    pub(super) fn bid(self) -> Style {
        self.colored(Color::Green)
    }

    pub(super) fn ask(self) -> Style {
        self.colored(Color::Red)
    }

    pub(super) fn bid_bar(self) -> Style {
        self.bar(Color::Indexed(22))
    }

    pub(super) fn ask_bar(self) -> Style {
        self.bar(Color::Indexed(52))
    }

    /// White on a dark bar reads on terminals of either kind.
    fn bar(self, color: Color) -> Style {
        if self.has_color { Style::new().fg(Color::White).bg(color) } else { Style::new() }
    }

    /// Something that the user should know.
    pub(super) fn alarm(self) -> Style {
        self.colored(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// A bar that should stay short.
    pub(super) fn gauge(self, is_high: bool) -> Style {
        if is_high { self.alarm() } else { self.accent() }
    }

    /// An amount that is good above 0 and bad below.
    pub(super) fn gain(self, amount: i128) -> Style {
        match amount {
            0 => Style::new(),
            1.. => self.bid(),
            _ => self.ask(),
        }
    }
}
