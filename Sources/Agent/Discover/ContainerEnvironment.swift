import Diagnostics
import ManifestUpdater

/// The environment of a container as far as its manifest tells it, and the references to it in the container's words.
///
/// The kubelet expands `$(NAME)` before a container starts: in `command`, in `args`, and in the values of variables, which
/// may refer to those before them (Kubernetes: `third_party/forked/golang/expansion`, `makeEnvironmentVariables`).
struct ContainerEnvironment: Sendable {
    /// A reference whose value is not in the repository.
    struct Unknown: Sendable, Equatable {
        /// As it is written: `$(TOKEN)`.
        let reference: String
        /// The variable to write a value for; `nil` where none would help.
        let variable: String?
        /// Why nothing is known of it, to be read after "uses $(TOKEN), ".
        let reason: String
    }

    /// A text with its references expanded. In the place of what is unknown stands U+0000, which no word can have.
    struct Expanded: Sendable, Equatable {
        var text = ""
        /// In the order of their places.
        var unknown: [Unknown] = []
    }

    static let placeholder: Character = "\u{0}"

    /// The longest word that Linux takes (MAX_ARG_STRLEN), in bytes. Variables that refer to each other twice would grow
    /// without an end.
    private static let limit = 128 << 10

    private enum Value {
        case known(String)
        case unknown(variable: String?, reason: String)
    }

    private var values: [String: Value] = [:]
    private let source: SourceLocation?

    init(_ container: PodContainer) {
        source = container.environmentSource
        for variable in container.environment {
            guard let text = variable.value else {
                values[variable.name] = .unknown(
                    variable: variable.name, reason: "which 'valueFrom' takes from the cluster (\(variable.location))")
                continue
            }
            let expanded = expand(text)
            if let first = expanded.unknown.first {
                values[variable.name] = .unknown(
                    variable: first.variable,
                    reason: "which refers to \(first.reference) (\(variable.location)), \(first.reason)")
            } else {
                values[variable.name] = .known(expanded.text)
            }
        }
    }

    /// The value of a variable, where the manifest has it.
    subscript(name: String) -> String? {
        if case .known(let text)? = values[name] { text } else { nil }
    }

    /// Expands the references of a text. `$$` stands for `$`; names that the container does not have stay as they are
    /// written; what is no whole reference stays, too.
    func expand(_ text: String) -> Expanded {
        var result = Expanded()
        var rest = text[...].unicodeScalars
        func isFull() -> Bool { result.text.utf8.count > Self.limit }
        while let dollar = rest.firstIndex(of: "$"), !isFull() {
            result.text += Self.plain(rest[..<dollar])
            rest = rest[rest.index(after: dollar)...]
            switch rest.first {
            case "$":
                result.text.append("$")
                rest = rest.dropFirst()
            case "(":
                guard let close = rest.firstIndex(of: ")") else {
                    result.text.append("$")
                    continue
                }
                let name = String(rest[rest.index(after: rest.startIndex)..<close])
                rest = rest[rest.index(after: close)...]
                switch value(of: name) {
                case .known(let value): result.text += value
                case .unknown(let variable, let reason):
                    result.text.append(Self.placeholder)
                    result.unknown.append(Unknown(reference: "$(\(name))", variable: variable, reason: reason))
                }
            default: result.text.append("$")
            }
        }
        result.text += Self.plain(rest)
        guard isFull() else { return result }
        return Expanded(
            text: String(Self.placeholder),
            unknown: [
                Unknown(
                    reference: "its environment", variable: nil,
                    reason: "and would be longer than \(Self.limit) bytes")
            ])
    }

    private func value(of name: String) -> Value {
        if let value = values[name] { return value }
        if let source {
            return .unknown(
                variable: name, reason: "which may be in what 'envFrom' takes from the cluster (\(source))")
        }
        if Self.isOfService(name) {
            return .unknown(variable: name, reason: "which the cluster sets when it has a Service of that name")
        }
        return .known("$(\(name))")
    }

    /// Variables that the kubelet makes for the Services of the namespace: `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`.
    private static func isOfService(_ name: String) -> Bool {
        guard let service = name.firstRange(of: "_SERVICE_"), service.lowerBound > name.startIndex else { return false }
        let rest = name[service.upperBound...]
        return rest == "HOST" || rest == "PORT" || rest.hasPrefix("PORT_")
    }

    private static func plain(_ text: Substring.UnicodeScalarView) -> String {
        var copy = String.UnicodeScalarView()
        // No word of a process can have it, and the placeholder is to be nothing else.
        copy.append(contentsOf: text.lazy.filter { $0.value != 0 })
        return String(copy)
    }
}
