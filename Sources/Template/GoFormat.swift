import Diagnostics

/// Go's `fmt`, as far as messages need it.
enum GoFormat {
    /// `fmt.Sprint`: a blank between two operands of which neither is a text.
    static func print(_ values: [TemplateValue]) -> String {
        var result = ""
        for (index, value) in values.enumerated() {
            if index > 0, !isText(values[index - 1]), !isText(value) { result += " " }
            result += value.text
        }
        return result
    }

    private static func isText(_ value: TemplateValue) -> Bool {
        if case .string = value { return true }
        return false
    }

    /// `fmt.Sprintf` with the verbs %s %v %d %q %t %%, a width and the flag `-`, and a precision for %s.
    static func printf(_ format: String, _ arguments: [TemplateValue]) throws(TemplateError) -> String {
        var result = ""
        var rest = Array(format.unicodeScalars)[...]
        var values = arguments[...]
        while let scalar = rest.popFirst() {
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            if rest.first == "%" {
                rest.removeFirst()
                result += "%"
                continue
            }
            var isLeft = false
            var isZero = false
            while let flag = rest.first, flag == "-" || flag == "0" {
                if flag == "-" { isLeft = true } else { isZero = true }
                rest.removeFirst()
            }
            let width = digits(&rest)
            var precision: Int?
            if rest.first == "." {
                rest.removeFirst()
                precision = digits(&rest) ?? 0
            }
            guard let verb = rest.popFirst() else { throw TemplateError(.value, "the format ends after '%'") }
            guard let value = values.popFirst() else {
                throw TemplateError(.value, "a value for '%\(verb)' is missing")
            }
            var text = try formatted(value, verb)
            if let precision, verb == "s" { text = String(text.prefix(precision)) }
            if let width {
                guard width <= 1024 else { throw TemplateError(.tooLarge, "the width \(width) is too large") }
                let padding = String(repeating: isZero && !isLeft ? "0" : " ", count: max(0, width - text.count))
                text = isLeft ? text + padding : padding + text
            }
            result += text
            guard result.utf8.count <= Template.outputLimit else {
                throw TemplateError(.tooLarge, "the text becomes too long")
            }
        }
        guard values.isEmpty else { throw TemplateError(.value, "there are more values than '%' in the format") }
        return result
    }

    private static func digits(_ rest: inout ArraySlice<Unicode.Scalar>) -> Int? {
        var number: Int?
        while let scalar = rest.first, let digit = Int(String(scalar)), (0...9).contains(digit) {
            number = min((number ?? 0) * 10 + digit, 1 << 20)
            rest.removeFirst()
        }
        return number
    }

    private static func formatted(_ value: TemplateValue, _ verb: Unicode.Scalar) throws(TemplateError) -> String {
        switch (verb, value) {
        case ("v", _): return value.text
        case ("s", .integer), ("s", .bool), ("s", .none):
            throw TemplateError(.value, "'%s' wants a text, not \(value.kind)", hint: "use %v")
        case ("s", _): return value.text
        case ("d", .integer(let number)): return String(number)
        case ("t", .bool(let flag)): return flag ? "true" : "false"
        case ("q", .string(let text)): return GoQuote.quoted(text)
        case ("q", .object): return GoQuote.quoted(value.text)
        case ("d", _), ("t", _), ("q", _): throw TemplateError(.value, "'%\(verb)' does not fit \(value.kind)")
        default: throw TemplateError(.unsupported, "'%\(verb)' is not supported", hint: "use %s, %v, %d, %q or %t")
        }
    }
}
