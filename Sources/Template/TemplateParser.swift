/// From pieces to the tree.
struct TemplateParser {
    private let pieces: [TemplateLexer.Piece]
    private let place: (Int) -> String
    private var index = 0
    private var depth = 0
    /// Names that are declared where the parser is.
    private var scope = ["$"]
    private var loops = 0

    init(_ pieces: [TemplateLexer.Piece], place: @escaping (Int) -> String) {
        self.pieces = pieces
        self.place = place
    }

    private enum End { case file, end, otherwise([TemplateToken], Int) }

    static func parse(
        _ pieces: [TemplateLexer.Piece], place: @escaping (Int) -> String
    ) throws(TemplateError) -> [TemplateNode] {
        var parser = TemplateParser(pieces, place: place)
        let (nodes, end) = try parser.list()
        switch end {
        case .file: return nodes
        case .end: throw TemplateError(.syntax, "there is nothing open that '{{ end }}' could close")
        case .otherwise(_, let position):
            throw TemplateError(.syntax, "'{{ else }}' without an 'if', 'range' or 'with'", place: place(position))
        }
    }

    private mutating func list() throws(TemplateError) -> ([TemplateNode], End) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 32 else { throw TemplateError(.tooLarge, "the template is nested too deeply") }
        let outer = scope.count
        defer { scope.removeLast(scope.count - outer) }
        var nodes: [TemplateNode] = []
        while index < pieces.count {
            let piece = pieces[index]
            index += 1
            switch piece {
            case .text(let text): nodes.append(.text(text))
            case .action(let tokens, let position):
                guard case .identifier(let word)? = tokens.first?.kind else {
                    nodes.append(.action(try pipeline(tokens, position)))
                    continue
                }
                let rest = Array(tokens.dropFirst())
                switch word {
                case "end":
                    try expectNothing(rest, after: word)
                    return (nodes, .end)
                case "else": return (nodes, .otherwise(rest, position))
                case "if": nodes.append(try branch(rest, position))
                case "range": nodes.append(try block(rest, position, word: word))
                case "with": nodes.append(try block(rest, position, word: word))
                case "break", "continue":
                    try expectNothing(rest, after: word)
                    guard loops > 0 else {
                        throw TemplateError(.syntax, "'\(word)' outside of a 'range'", place: place(position))
                    }
                    nodes.append(.leave(isBreak: word == "break"))
                case "define", "template", "block":
                    throw TemplateError(
                        .unsupported, "'{{ \(word) }}' is not supported", place: place(position),
                        hint: "write the text out where it is wanted")
                default: nodes.append(.action(try pipeline(tokens, position)))
                }
            }
        }
        return (nodes, .file)
    }

    private func expectNothing(_ tokens: [TemplateToken], after word: String) throws(TemplateError) {
        if let extra = tokens.first {
            throw TemplateError(.syntax, "nothing may follow '\(word)'", place: place(extra.position))
        }
    }

    private func unclosed(_ word: String, _ position: Int) -> TemplateError {
        TemplateError(
            .syntax, "'{{ \(word) }}' is not closed", place: place(position), hint: "close it with '{{ end }}'")
    }

    /// `if … else if … else … end`
    private mutating func branch(_ tokens: [TemplateToken], _ position: Int) throws(TemplateError) -> TemplateNode {
        let outer = scope.count
        defer { scope.removeLast(scope.count - outer) }
        var cases: [(condition: TemplatePipeline, body: [TemplateNode])] = []
        var condition = try control(tokens, position, word: "if")
        while true {
            let (body, end) = try list()
            cases.append((condition, body))
            switch end {
            case .file: throw unclosed("if", position)
            case .end: return .branch(cases, otherwise: [])
            case .otherwise(let rest, let at):
                if case .identifier("if")? = rest.first?.kind {
                    condition = try control(Array(rest.dropFirst()), at, word: "else if")
                    continue
                }
                try expectNothing(rest, after: "else")
                let (otherwise, last) = try list()
                guard case .end = last else { throw unclosed("if", position) }
                return .branch(cases, otherwise: otherwise)
            }
        }
    }

    /// `range` and `with`
    private mutating func block(
        _ tokens: [TemplateToken], _ position: Int, word: String
    ) throws(TemplateError) -> TemplateNode {
        let outer = scope.count
        defer { scope.removeLast(scope.count - outer) }
        let pipeline = try control(tokens, position, word: word)
        if word == "range" { loops += 1 }
        let (body, end) = try list()
        if word == "range" { loops -= 1 }
        var otherwise: [TemplateNode] = []
        switch end {
        case .file: throw unclosed(word, position)
        case .end: break
        case .otherwise(let rest, _):
            try expectNothing(rest, after: "else")
            let (nodes, last) = try list()
            guard case .end = last else { throw unclosed(word, position) }
            otherwise = nodes
        }
        return word == "range"
            ? .range(pipeline, body: body, otherwise: otherwise) : .with(pipeline, body: body, otherwise: otherwise)
    }

    private mutating func control(
        _ tokens: [TemplateToken], _ position: Int, word: String
    ) throws(TemplateError) -> TemplatePipeline {
        guard !tokens.isEmpty else {
            throw TemplateError(.syntax, "'\(word)' needs a value", place: place(position))
        }
        return try pipeline(tokens, position, isRange: word == "range")
    }

    // MARK: Pipelines

    private mutating func pipeline(
        _ tokens: [TemplateToken], _ position: Int, isRange: Bool = false
    ) throws(TemplateError) -> TemplatePipeline {
        var rest = tokens[...]
        var result = TemplatePipeline(position: position)
        if case .variable(let first)? = rest.first?.kind {
            var names = [first]
            var after = rest.dropFirst()
            if isRange, case .comma? = after.first?.kind, case .variable(let second)? = after.dropFirst().first?.kind {
                names.append(second)
                after = after.dropFirst(2)
            }
            switch after.first?.kind {
            case .declare:
                result.variables = names
                rest = after.dropFirst()
            case .assign:
                for name in names where !scope.contains(name) {
                    throw TemplateError(.value, "the variable \(name) is not declared", place: place(position))
                }
                result.variables = names
                result.isAssignment = true
                rest = after.dropFirst()
            default: break
            }
        }
        result.commands = try commands(&rest)
        if let extra = rest.first {
            throw TemplateError(.syntax, "this is not expected here", place: place(extra.position))
        }
        guard !result.commands.isEmpty else {
            throw TemplateError(.syntax, "there is nothing between '{{' and '}}'", place: place(position))
        }
        // What the value is computed from does not see the new names.
        if !result.isAssignment { scope += result.variables }
        return result
    }

    /// Commands with `|` between them, up to a `)` or the end.
    private mutating func commands(_ rest: inout ArraySlice<TemplateToken>) throws(TemplateError) -> [TemplateCommand] {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 64 else { throw TemplateError(.tooLarge, "the template is nested too deeply") }
        var commands: [TemplateCommand] = []
        while let first = rest.first, first.kind != .close {
            var operands: [TemplateOperand] = []
            while let next = rest.first, next.kind != .pipe, next.kind != .close {
                operands.append(try operand(&rest))
            }
            guard let head = operands.first else {
                throw TemplateError(.syntax, "there is nothing before '|'", place: place(first.position))
            }
            if !commands.isEmpty, !head.isFunction {
                throw TemplateError(.syntax, "after '|' a function must follow", place: place(head.position))
            }
            if operands.count > 1, !head.isFunction {
                throw TemplateError(
                    .syntax, "arguments follow something that is no function", place: place(operands[1].position))
            }
            commands.append(TemplateCommand(operands: operands, position: first.position))
            guard let bar = rest.first, bar.kind == .pipe else { break }
            rest = rest.dropFirst()
            guard let next = rest.first, next.kind != .close else {
                throw TemplateError(.syntax, "there is nothing after '|'", place: place(bar.position))
            }
        }
        return commands
    }

    private mutating func operand(_ rest: inout ArraySlice<TemplateToken>) throws(TemplateError) -> TemplateOperand {
        guard let token = rest.popFirst() else { throw TemplateError(.syntax, "the action ends too early") }
        var result = TemplateOperand(base: .dot, fields: [], position: token.position)
        switch token.kind {
        case .dot: return result
        case .field(let name): result.fields = [name]
        case .variable(let name):
            guard scope.contains(name) else {
                throw TemplateError(.value, "the variable \(name) is not declared", place: place(token.position))
            }
            result.base = .variable(name)
        case .string(let text):
            result.base = .literal(.string(text))
            return result
        case .integer(let number):
            result.base = .literal(.integer(number))
            return result
        case .identifier("true"), .identifier("false"):
            result.base = .literal(.bool(token.kind == .identifier("true")))
            return result
        case .identifier("nil"):
            result.base = .literal(.none)
            return result
        case .identifier(let name):
            guard TemplateFunctions.isKnown(name) else {
                throw TemplateError(
                    .unsupported, "the function '\(name)' is not known", place: place(token.position),
                    hint: "known: \(TemplateFunctions.names)")
            }
            result.base = .function(name)
            return result
        case .open:
            var inner = rest
            let commands = try commands(&inner)
            guard inner.first?.kind == .close, !commands.isEmpty else {
                throw TemplateError(
                    .syntax, "'(' is not closed, or there is nothing in it", place: place(token.position))
            }
            rest = inner.dropFirst()
            result.base = .pipeline(TemplatePipeline(commands: commands, position: token.position))
        case .pipe, .close, .comma, .assign, .declare:
            throw TemplateError(.syntax, "this is not expected here", place: place(token.position))
        }
        while case .field(let name)? = rest.first?.kind, rest.first?.isApart == false {
            result.fields.append(name)
            rest = rest.dropFirst()
        }
        return result
    }
}

extension TemplateOperand {
    var isFunction: Bool {
        if case .function = base { return true }
        return false
    }
}
