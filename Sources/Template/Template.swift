/// A text with places for values: the part of Go's text/template, with the functions of sprig that need neither clock,
/// network, randomness nor environment, that commit messages and branch names are written in (Flux v2, Argo CD Image Updater).
///
/// Values, `if`, `range`, `with`, variables, pipelines, comments and trim marks mean what they mean in Go. `define`,
/// `template`, `block` and functions that are not listed are refused when the template is read. Rendering ends after a bounded
/// number of steps and bytes.
package struct Template: Sendable {
    private let nodes: [TemplateNode]
    private let source: Source

    /// - Parameters:
    ///   - text: the template.
    ///   - name: what errors call it, `FILE` or a key of the configuration.
    package init(_ text: String, name: String) throws(TemplateError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.sourceLimit else {
            throw TemplateError(.tooLarge, "the template has more than \(Self.sourceLimit) bytes", place: name)
        }
        let source = Source(name: name, bytes: bytes)
        self.source = source
        do {
            let pieces = try TemplateLexer(bytes, place: source.place).pieces()
            nodes = try TemplateParser.parse(pieces, place: source.place)
        } catch {
            throw error.at(name)
        }
    }

    /// - Parameter root: what `.` and `$` are.
    package func render(_ root: TemplateValue) throws(TemplateError) -> String {
        var run = TemplateRun(root: root, place: source.place)
        do {
            _ = try run.run(nodes, dot: root)
        } catch {
            throw error.at(source.name)
        }
        return run.output
    }

    /// The text before the first action.
    package var literalPrefix: String {
        guard case .text(let text)? = nodes.first else { return "" }
        return text
    }

    /// Whether there is no action at all.
    package var isLiteral: Bool {
        nodes.allSatisfy { node in
            if case .text = node { return true }
            return false
        }
    }

    static let sourceLimit = 64 << 10
    static let outputLimit = 256 << 10
    static let stepLimit = 200_000
    static let listLimit = 10_000

    private struct Source: Sendable {
        let name: String
        let bytes: [UInt8]

        func place(_ offset: Int) -> String {
            let before = bytes[..<min(max(0, offset), bytes.count)]
            let line = before.count { $0 == 0x0a } + 1
            let column = before.count - (before.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0) + 1
            return "\(name):\(line):\(column)"
        }
    }
}

extension TemplateError {
    fileprivate func at(_ name: String) -> TemplateError {
        place == nil ? TemplateError(code, summary, place: name, cause: cause, hint: hint) : self
    }
}
