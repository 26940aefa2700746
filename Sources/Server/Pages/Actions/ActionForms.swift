import Agent

/// The buttons of a page: each opens a form that says what happens and takes the token.
struct ActionForms: Sendable {
    enum Mode: Sendable {
        /// On the agent's socket its user needs no token.
        case open
        case token
        /// Nobody may make the agent work by this address.
        case off
    }

    /// Which of its fields a form has beside the token.
    enum Question: Sendable {
        case none
        /// Who asks, and why.
        case reason
    }

    let mode: Mode

    /// - Parameters:
    ///   - label: of the button.
    ///   - sentence: what happens.
    ///   - workload: which one is meant, where a repository has several.
    func html(
        _ action: PageAction, _ label: String, _ icon: Icon, _ sentence: String, asking question: Question = .none,
        workload: String? = nil
    ) -> HTML {
        Tag.details(.class("act")) {
            Tag.summary(.class("btn")) {
                icon.html
                label
            }
            Tag.form(.class("card"), .post, .action(action.address)) {
                Tag.p(.class("s")) { sentence }
                if let workload { Tag.input(.hiddenField, .field("workload"), .value(workload)) }
                if mode == .off {
                    Tag.p(.class("s mute")) {
                        "Set "
                        Tag.code { "api.tokenFile" }
                        " in the agent's configuration to use this button."
                    }
                } else {
                    if case .reason = question { reason }
                    if mode == .token {
                        Tag.label(.class("s")) {
                            "Token"
                            Tag.input(.field("token"), .password, .ownToken, .required)
                        }
                    }
                }
                Tag.button(.class("p"), mode == .off ? .disabled : nil) { label }
            }
        }
    }

    @HTMLBuilder private var reason: HTML {
        Tag.label(.class("s")) {
            "Your name"
            Tag.input(.field("user"), .noCompletion)
        }
        Tag.label(.class("s")) {
            "Why"
            Tag.input(.field("message"), .noCompletion)
        }
    }
}
