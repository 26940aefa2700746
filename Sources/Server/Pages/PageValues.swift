/// One fact of a card: a label above its value.
struct Fact {
    private let label: String
    private let isWide: Bool
    private let value: HTML

    init(_ label: String, isWide: Bool = false, @HTMLBuilder value: () -> HTML) {
        self.label = label
        self.isWide = isWide
        self.value = value()
    }

    var html: HTML {
        Tag.div(isWide ? .class("wide") : nil) {
            Tag.dt { label }
            Tag.dd { value }
        }
    }
}

/// Commits by their first seven digits, with a button that copies the whole.
enum CommitText {
    @HTMLBuilder static func html(_ commit: String?) -> HTML {
        if let commit {
            Tag.span(.class("m"), .title(commit)) { String(commit.prefix(7)) }
            CopyButton.html(commit, what: "commit")
        } else {
            "–"
        }
    }
}

/// Digests by their first twelve digits.
enum DigestText {
    @HTMLBuilder static func html(_ digest: String) -> HTML {
        let digits = digest.split(separator: ":").last ?? ""
        Tag.span(.class("nw")) {
            Tag.span(.class("m s"), .title(digest)) { "sha256:\(digits.prefix(12))…" }
            CopyButton.html(digest, what: "digest")
        }
    }
}

enum CopyButton {
    static func html(_ text: String, what: String) -> HTML {
        Tag.button(.class("copy"), .copies(text), .label("Copy the \(what)"), .title("Copy the \(what)")) {
            Icon.copy.html
        }
    }
}

/// A digest that leads to the page of its image.
enum ImageLink {
    /// - Parameter repository: of the agent's, that made it.
    @HTMLBuilder static func html(_ digest: String, of repository: String) -> HTML {
        let digits = digest.split(separator: ":").last ?? ""
        Tag.span(.class("nw")) {
            Tag.a(.class("m s"), .title(digest), .href(ImagePage.page(digest, of: repository))) {
                "sha256:\(digits.prefix(12))…"
            }
            CopyButton.html(digest, what: "digest")
        }
    }
}

/// What a decision is about, which leads to its policy's page where it is a place of a manifest.
enum SubjectText {
    @HTMLBuilder static func html(_ subject: String, of repository: String) -> HTML {
        if let address = PolicyPage.page(repository, subject: subject) {
            Tag.a(.href(address)) { subject }
        } else {
            subject
        }
    }
}
