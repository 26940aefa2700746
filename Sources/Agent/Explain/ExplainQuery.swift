import Diagnostics
import ManifestUpdater
import OCI

/// What an explanation is asked for: a line of a file, an object, or an image.
package struct ExplainQuery: Sendable {
    private enum Kind: Sendable {
        case place(file: String, line: Int)
        /// `kind/name` may also be an image: both are looked for.
        case named(object: ObjectName?, image: RepositoryLocation?)
        case everything
    }

    private struct ObjectName: Sendable {
        /// `nil`: any.
        let namespace: Substring?
        /// `kind/name`, in lower case.
        let rest: String
    }

    private let kind: Kind

    /// Every place.
    package static let everything = ExplainQuery(kind: .everything)

    private init(kind: Kind) { self.kind = kind }

    /// - Parameter text: `FILE:LINE`, `[NAMESPACE:]KIND/NAME`, or an image with or without its tag.
    package init(_ text: String) throws(AgentError) {
        if let colon = text.lastIndex(of: ":"), let line = Int(text[text.index(after: colon)...]), line > 0,
            UpdateRequest.isManifest(text[..<colon])
        {
            let file = text[..<colon]
            kind = .place(file: String(file.hasPrefix("./") ? file.dropFirst(2) : file), line: line)
            return
        }
        let colon = text.firstIndex(of: ":")
        let rest = colon.map { text[text.index(after: $0)...] } ?? text[...]
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        let isObject = parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && !parts[0].contains(".")
        let object = isObject ? ObjectName(namespace: colon.map { text[..<$0] }, rest: rest.lowercased()) : nil
        let image = (try? Reference(text)).map { ImageLocation($0).repository }
        guard object != nil || image != nil else {
            throw AgentError(
                "'\(text)' is neither a line of a file, nor an object, nor an image",
                hint: "write FILE:LINE, NAMESPACE:KIND/NAME, or REPOSITORY[:TAG]")
        }
        kind = .named(object: object, image: image)
    }

    /// The file that is asked about; `nil` when any may hold it.
    var file: String? { if case .place(let file, _) = kind { file } else { nil } }

    /// Whether a subject, `file:line object container`, is meant.
    ///
    /// - Parameter image: what is written there.
    func matches(_ subject: String, image: String?, repository: RepositoryLocation? = nil) -> Bool {
        switch kind {
        case .everything: return true
        case .place(let file, _): return subject.hasPrefix(file + ":")
        case .named(let object, let wanted):
            if let object, subject.split(separator: " ").contains(where: { Self.isObject(String($0), object) }) {
                return true
            }
            guard let wanted else { return false }
            return repository == wanted
                || image.flatMap { try? Reference($0) }.map { ImageLocation($0).repository == wanted } ?? false
        }
    }

    private static func isObject(_ word: String, _ object: ObjectName) -> Bool {
        guard let colon = word.firstIndex(of: ":") else { return false }
        return word[word.index(after: colon)...].lowercased() == object.rest
            && (object.namespace == nil || word[..<colon] == object.namespace)
    }

    /// Of explanations for a file those of the line, when there are any.
    func narrowed(_ explanations: [Explanation]) -> [Explanation] {
        guard case .place(let file, let line) = kind else { return explanations }
        let exact = explanations.filter { one in
            one.subject.hasPrefix("\(file):\(line) ") || one.subject.hasPrefix("\(file):\(line):")
        }
        return exact.isEmpty ? explanations : exact
    }
}
