import Text

/// An attribute of an element. Only those that are here can be written, and none of them runs anything.
struct Attribute: Sendable {
    let name: StaticString
    let value: String?

    private init(_ name: StaticString, _ value: String? = nil) {
        self.name = name
        self.value = value
    }

    static func `class`(_ names: String) -> Attribute { Attribute("class", names) }
    static func id(_ id: String) -> Attribute { Attribute("id", id) }
    static func title(_ text: String) -> Attribute { Attribute("title", text) }
    static func href(_ address: Address) -> Attribute { Attribute("href", address.text) }
    static func src(_ address: Address) -> Attribute { Attribute("src", address.text) }
    static func action(_ address: Address) -> Attribute { Attribute("action", address.text) }
    static func rel(_ relation: StaticString) -> Attribute { Attribute("rel", "\(relation)") }
    static func lang(_ language: StaticString) -> Attribute { Attribute("lang", "\(language)") }
    static func charset(_ name: StaticString) -> Attribute { Attribute("charset", "\(name)") }
    static func meta(_ name: StaticString) -> Attribute { Attribute("name", "\(name)") }
    static func content(_ text: StaticString) -> Attribute { Attribute("content", "\(text)") }
    static func datetime(_ text: String) -> Attribute { Attribute("datetime", text) }
    /// Where the events are told that change the page.
    static func live(_ address: Address) -> Attribute { Attribute("data-live", address.text) }
    static func now(_ text: String) -> Attribute { Attribute("data-now", text) }
    static func copies(_ text: String) -> Attribute { Attribute("data-copy", text) }
    /// What stands before the cell where the table is shown as cards.
    static func cellLabel(_ text: String) -> Attribute { Attribute("data-l", text) }
    static let `defer` = Attribute("defer")
    /// Of `details`.
    static let open = Attribute("open")
    static let selectable = Attribute("tabindex", "0")

    // Forms.
    static func field(_ name: StaticString) -> Attribute { Attribute("name", "\(name)") }
    static func value(_ text: String) -> Attribute { Attribute("value", text) }
    static func placeholder(_ text: String) -> Attribute { Attribute("placeholder", text) }
    static func `for`(_ id: String) -> Attribute { Attribute("for", id) }
    static let search = Attribute("type", "search")
    static let password = Attribute("type", "password")
    static let hiddenField = Attribute("type", "hidden")
    static let post = Attribute("method", "post")
    static let get = Attribute("method", "get")
    static let required = Attribute("required")
    static let disabled = Attribute("disabled")
    static let ownToken = Attribute("autocomplete", "current-password")
    static let unspelled = Attribute("spellcheck", "false")
    static let noCompletion = Attribute("autocomplete", "off")
    static func shortcut(_ key: StaticString) -> Attribute { Attribute("aria-keyshortcuts", "\(key)") }

    // Accessibility.
    static func role(_ role: StaticString) -> Attribute { Attribute("role", "\(role)") }
    static func label(_ text: String) -> Attribute { Attribute("aria-label", text) }
    static func labelled(by id: String) -> Attribute { Attribute("aria-labelledby", id) }
    static func scope(_ scope: StaticString) -> Attribute { Attribute("scope", "\(scope)") }
    static func current(_ kind: StaticString) -> Attribute { Attribute("aria-current", "\(kind)") }
    static let hidden = Attribute("aria-hidden", "true")
    static let quiet = Attribute("aria-live", "off")
    static func columns(_ count: Int) -> Attribute { Attribute("colspan", String(count)) }

    // SVG.
    static func viewBox(_ box: StaticString) -> Attribute { Attribute("viewBox", "\(box)") }
    static func d(_ path: StaticString) -> Attribute { Attribute("d", "\(path)") }
    static func cx(_ number: StaticString) -> Attribute { Attribute("cx", "\(number)") }
    static func cy(_ number: StaticString) -> Attribute { Attribute("cy", "\(number)") }
    static func r(_ number: StaticString) -> Attribute { Attribute("r", "\(number)") }
    static func dashes(_ pattern: StaticString) -> Attribute { Attribute("stroke-dasharray", "\(pattern)") }
    /// In percent of the bar.
    static func x(_ percent: Double) -> Attribute { Attribute("x", Self.percent(percent)) }
    static func width(_ percent: Double) -> Attribute { Attribute("width", Self.percent(percent)) }

    private static func percent(_ number: Double) -> String {
        let tenths = Int((min(max(number, 0), 100) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)%"
    }
}

/// Where a link leads: a page of this server's, or a place on the page. Nothing else can be linked to, so foreign text never
/// becomes an address that runs something.
struct Address: Sendable, Equatable {
    let text: String

    private init(_ text: String) { self.text = text }

    /// - Parameters:
    ///   - parts: of the path, not encoded.
    ///   - query: fields of the query, not encoded.
    static func page(_ parts: [String] = [], query: [(String, String)] = [], at place: String? = nil) -> Address {
        let path = "/" + parts.map { PercentEncoding.encode($0) }.joined(separator: "/")
        return Address(
            path + (query.isEmpty ? "" : "?\(PercentEncoding.form(query))") + (place.map { "#\(encoded($0))" } ?? ""))
    }

    /// A place on the same page.
    static func place(_ id: String) -> Address { Address("#\(encoded(id))") }

    /// The same page with another query.
    static func same(_ query: [(String, String)], at place: String? = nil) -> Address {
        Address("?\(PercentEncoding.form(query))" + (place.map { "#\(encoded($0))" } ?? ""))
    }

    private static func encoded(_ id: String) -> String {
        PercentEncoding.encode(id) { PercentEncoding.isUnreserved($0) || $0 == UInt8(ascii: ":") }
    }
}
