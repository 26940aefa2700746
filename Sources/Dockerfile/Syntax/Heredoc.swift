/// A document within the Dockerfile, from the line after its instruction to a line with its name.
package struct Heredoc: Sendable, Equatable {
    package var name: String
    /// `3<<EOF` gives 3; 0 when none is given.
    package var descriptor: Int
    /// The name is not quoted: `COPY` and `ADD` expand variables in the body.
    package var expands: Bool
    /// `<<-`: tabs at the start of every line go.
    package var stripsTabs: Bool
    /// As written, with line terminators, without the last line.
    package var body: [UInt8] = []

    /// The body without the tabs that `<<-` takes away.
    package var content: [UInt8] {
        guard stripsTabs else { return body }
        var result: [UInt8] = []
        result.reserveCapacity(body.count)
        var isStart = true
        for byte in body {
            if isStart && byte == 0x09 { continue }
            isStart = byte == 0x0a
            result.append(byte)
        }
        return result
    }

    /// The operators of a logical line, in order.
    static func operators(in line: [UInt8]) throws(DockerfileError) -> [Heredoc] {
        guard containsOperator(line) else { return [] }
        var engine = WordEngine(line, escape: EscapeCharacter.backslash.rawValue)
        engine.options = [.rawQuotes, .rawEscapes, .keepUnset, .splitting]
        engine.resultLimit = Int.max
        // What the engine cannot read is the shell's to judge.
        guard (try? engine.run { _ in nil }) != nil else { return [] }
        var found: [Heredoc] = []
        for word in engine.words() {
            if let heredoc = try Heredoc(operator: word) { found.append(heredoc) }
        }
        guard found.count <= 1000 else {
            throw DockerfileError(.limit, "an instruction has more than 1000 heredocs")
        }
        return found
    }

    private static func containsOperator(_ line: [UInt8]) -> Bool {
        var previous: UInt8 = 0
        for byte in line {
            if byte == 0x3c && previous == 0x3c { return true }
            previous = byte
        }
        return false
    }

    /// `<<NAME`, `<<-NAME`, `3<<NAME`, with the name quoted or not; `nil` for any other word.
    init?(operator word: String) throws(DockerfileError) {
        var rest = Array(word.utf8)[...]
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        rest = rest[digits.endIndex...]
        guard rest.starts(with: [0x3c, 0x3c]) else { return nil }
        rest = rest.dropFirst(2)
        let stripsTabs = rest.first == 0x2d
        if stripsTabs { rest = rest.dropFirst() }
        rest = rest.drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
        guard !rest.isEmpty, !rest.contains(0x3c) else { return nil }

        // Read with and without its quotes: a difference tells that there are some.
        func words(_ options: WordEngine.Options) throws(DockerfileError) -> [String] {
            var engine = WordEngine(Array(rest), escape: EscapeCharacter.backslash.rawValue)
            engine.options = options.union([.keepUnset, .splitting])
            _ = try engine.run { _ in nil }
            return engine.words()
        }
        let plain = try words([])
        guard plain.count == 1 else { return nil }
        let raw = try words(.rawQuotes)
        func quotes(_ text: String) -> Int { text.utf8.count { $0 == 0x22 || $0 == 0x27 } }
        self.init(
            name: plain[0], descriptor: Int(String(decoding: digits, as: UTF8.self)) ?? 0,
            expands: quotes(plain[0]) == raw.reduce(0) { $0 + quotes($1) }, stripsTabs: stripsTabs)
    }

    init(name: String, descriptor: Int = 0, expands: Bool = true, stripsTabs: Bool = false, body: [UInt8] = []) {
        self.name = name
        self.descriptor = descriptor
        self.expands = expands
        self.stripsTabs = stripsTabs
        self.body = body
    }
}
