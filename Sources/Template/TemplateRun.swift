/// One rendering of a template.
struct TemplateRun {
    private(set) var output = ""
    private var size = 0
    private var steps = 0
    private var variables: [(name: String, value: TemplateValue)]
    private let place: (Int) -> String

    enum Flow { case on, leave, next }

    init(root: TemplateValue, place: @escaping (Int) -> String) {
        variables = [("$", root)]
        self.place = place
    }

    mutating func run(_ nodes: [TemplateNode], dot: TemplateValue) throws(TemplateError) -> Flow {
        let outer = variables.count
        defer { variables.removeLast(variables.count - outer) }
        for node in nodes {
            try step()
            switch node {
            case .text(let text): try write(text)
            case .action(let pipeline):
                let value = try evaluate(pipeline, dot: dot)
                if pipeline.variables.isEmpty { try write(value.text) } else { bind(pipeline, [value]) }
            case .branch(let cases, let otherwise):
                let flow = try branch(cases, otherwise, dot: dot)
                if flow != .on { return flow }
            case .with(let pipeline, let body, let otherwise):
                let inner = variables.count
                defer { variables.removeLast(variables.count - inner) }
                let value = try evaluate(pipeline, dot: dot)
                bind(pipeline, [value])
                let flow = value.isTrue ? try run(body, dot: value) : try run(otherwise, dot: dot)
                if flow != .on { return flow }
            case .range(let pipeline, let body, let otherwise):
                let flow = try range(pipeline, body, otherwise, dot: dot)
                if flow != .on { return flow }
            case .leave(let isBreak): return isBreak ? .leave : .next
            }
        }
        return .on
    }

    private mutating func branch(
        _ cases: [(condition: TemplatePipeline, body: [TemplateNode])], _ otherwise: [TemplateNode], dot: TemplateValue
    ) throws(TemplateError) -> Flow {
        let outer = variables.count
        defer { variables.removeLast(variables.count - outer) }
        for (condition, body) in cases {
            let value = try evaluate(condition, dot: dot)
            bind(condition, [value])
            if value.isTrue { return try run(body, dot: dot) }
        }
        return try run(otherwise, dot: dot)
    }

    private mutating func range(
        _ pipeline: TemplatePipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode], dot: TemplateValue
    ) throws(TemplateError) -> Flow {
        let entries: [TemplateValue.Entry]
        switch try evaluate(pipeline, dot: dot) {
        case .none: entries = []
        case .list(let items): entries = items.enumerated().map { .init(.integer($0), $1) }
        case .map(let pairs): entries = pairs
        case .integer(let count):
            guard count <= Template.stepLimit else {
                throw TemplateError(.tooLarge, "too many rounds", place: place(pipeline.position))
            }
            entries = (0..<max(0, count)).map { .init(.integer($0), .integer($0)) }
        case let other:
            throw TemplateError(.value, "'range' cannot walk through \(other.kind)", place: place(pipeline.position))
        }
        guard !entries.isEmpty else { return try run(otherwise, dot: dot) }
        for entry in entries {
            try step()
            let outer = variables.count
            // With one variable it is the value; with two the first is the key.
            bind(pipeline, pipeline.variables.count == 2 ? [entry.key, entry.value] : [entry.value])
            let flow = try run(body, dot: entry.value)
            if !pipeline.isAssignment { variables.removeLast(variables.count - outer) }
            if flow == .leave { break }
        }
        return .on
    }

    private mutating func bind(_ pipeline: TemplatePipeline, _ values: [TemplateValue]) {
        for (name, value) in zip(pipeline.variables, values) {
            if pipeline.isAssignment, let index = variables.lastIndex(where: { $0.name == name }) {
                variables[index].value = value
            } else {
                variables.append((name, value))
            }
        }
    }

    // MARK: Values

    private mutating func evaluate(_ pipeline: TemplatePipeline, dot: TemplateValue) throws(TemplateError)
        -> TemplateValue
    {
        var value: TemplateValue?
        for command in pipeline.commands { value = try evaluate(command, last: value, dot: dot) }
        return value ?? .none
    }

    private mutating func evaluate(
        _ command: TemplateCommand, last: TemplateValue?, dot: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        try step()
        guard let head = command.operands.first else { return .none }
        guard case .function(let name) = head.base else { return try evaluate(head, dot: dot) }
        if name == "and" || name == "or" {
            // The rest is not evaluated once the answer is known.
            var value = TemplateValue.none
            for operand in command.operands.dropFirst() {
                value = try evaluate(operand, dot: dot)
                if value.isTrue == (name == "or") { return value }
            }
            if let last { return last }
            guard command.operands.count > 1 else {
                throw TemplateError(.value, "'\(name)' needs a value", place: place(head.position))
            }
            return value
        }
        var arguments: [TemplateValue] = []
        for operand in command.operands.dropFirst() { arguments.append(try evaluate(operand, dot: dot)) }
        if let last { arguments.append(last) }
        for argument in arguments { try work(Self.weight(argument)) }
        let result: TemplateValue
        do {
            result = try TemplateFunctions.call(name, arguments)
        } catch {
            throw TemplateError(error.code, "\(name): \(error.summary)", place: place(head.position), hint: error.hint)
        }
        if case .string(let text) = result { try bound(text.utf8.count, head.position) }
        if case .list(let items) = result, items.count > Template.listLimit {
            throw TemplateError(
                .tooLarge, "the list has more than \(Template.listLimit) items", place: place(head.position))
        }
        try work(Self.weight(result))
        return result
    }

    private mutating func evaluate(_ operand: TemplateOperand, dot: TemplateValue) throws(TemplateError)
        -> TemplateValue
    {
        try step()
        var value: TemplateValue
        switch operand.base {
        case .dot: value = dot
        case .variable(let name): value = variables.last { $0.name == name }?.value ?? .none
        case .literal(let literal): value = literal
        case .function(let name):
            value = try evaluate(
                TemplateCommand(
                    operands: [TemplateOperand(base: .function(name), fields: [], position: operand.position)],
                    position: operand.position), last: nil, dot: dot)
        case .pipeline(let pipeline): value = try evaluate(pipeline, dot: dot)
        }
        for name in operand.fields {
            switch value {
            case .object(let object):
                guard let field = object.fields.first(where: { $0.name == name }) else {
                    throw TemplateError(
                        .value, "there is no value '.\(name)' here", place: place(operand.position),
                        hint: "there are: \(object.fields.map { ".\($0.name)" }.joined(separator: " "))")
                }
                value = field.value
            case .map(let entries): value = entries.first { $0.key == .string(name) }?.value ?? .none
            default:
                throw TemplateError(.value, "\(value.kind) has no value '.\(name)'", place: place(operand.position))
            }
        }
        return value
    }

    // MARK: Bounds

    private mutating func step() throws(TemplateError) { try work(1) }

    /// How much there is to do with a value, in steps.
    private static func weight(_ value: TemplateValue) -> Int {
        switch value {
        case .string(let text): text.utf8.count / 64
        case .list(let items): items.count / 4
        case .map(let entries): entries.count / 4
        default: 0
        }
    }

    private mutating func work(_ count: Int) throws(TemplateError) {
        steps += count
        if steps > Template.stepLimit { throw TemplateError(.tooLarge, "rendering takes too many steps") }
    }

    private func bound(_ count: Int, _ position: Int) throws(TemplateError) {
        if count > Template.outputLimit {
            throw TemplateError(
                .tooLarge, "the text becomes larger than \(Template.outputLimit) bytes", place: place(position))
        }
    }

    private mutating func write(_ text: String) throws(TemplateError) {
        size += text.utf8.count
        try bound(size, 0)
        output += text
    }
}
