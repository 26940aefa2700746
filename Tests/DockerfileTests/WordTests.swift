import TestSupport
import Testing

@testable import Dockerfile

/// Section 4: the word engine.
@Suite("Words", .tags(.unit)) struct WordTests {
    static let variables = [
        "a": "one", "b": "two", "e": "", "path": "/usr/local/lib/x.tar.gz", "rep": "aXbXc", "sp": "x y",
        "é": "accent", "1": "digit", "_u": "under", "star": "a*b?c", "nl": "ab\ncd",
    ]

    /// `input → output`; a `!` stands for an error.
    static let table = """
        word → word
        a  b → a  b
        \\a → a
        a\\ → a
        a\\\\b → a\\b
        \\$a → $a
        'lit $a \\x' → lit $a \\x
        "dq $a" → dq one
        "a\\"b" → a"b
        "a\\$b" → a$b
        "a\\\\b" → a\\b
        "a\\xb" → a\\xb
        "it's" → it's
        'a"b' → a"b
        x'y'"z" → xyz
        '' →
        'open → !
        "open → !
        "a\\" → !
        $a → one
        $a$b → onetwo
        $ab →
        $a-b → one-b
        $_u → under
        $é → accent
        $1 → digit
        $12 →
        $1a → digita
        $ → $
        $. → $.
        $$ →
        $@ →
        $? →
        ${a} → one
        x${a}y → xoney
        ${a}b → oneb
        ${é} → accent
        ${zz} →
        ${} → !
        ${:} → !
        ${:-x} → !
        ${{a}} → !
        ${a → !
        ${ → !
        ${.} → !
        ${a.b} → !
        ${a:-w} → one
        ${zz:-w} → w
        ${e:-w} → w
        ${zz-w} → w
        ${e-w} →
        ${zz:-} →
        ${zz:-$a} → one
        ${zz:-${b}} → two
        ${zz:-${yy:-${a}}} → one
        ${zz:-"q r"} → q r
        ${zz:-'$a'} → $a
        ${zz:-\\}} → }
        ${zz:-a}b} → ab}
        ${a:+w} → w
        ${e:+w} →
        ${zz:+w} →
        ${e+w} → w
        ${zz+w} →
        ${a:?w} → one
        ${e:?w} → !
        ${zz:?w} → !
        ${e?w} →
        ${zz?} → !
        ${a:=w} → !
        ${a=w} → !
        ${a:#w} → !
        ${a:%w} → !
        ${a^} → !
        ${a^^} → !
        ${a,} → !
        ${#a} → !
        ${!a} → !
        ${a:1} → !
        ${a:1:2} → !
        ${path#*/} → usr/local/lib/x.tar.gz
        ${path##*/} → x.tar.gz
        ${path%.*} → /usr/local/lib/x.tar
        ${path%%.*} → /usr/local/lib/x
        ${path#/usr} → /local/lib/x.tar.gz
        ${path#nope} → /usr/local/lib/x.tar.gz
        ${path%gz} → /usr/local/lib/x.tar.
        ${path#?} → usr/local/lib/x.tar.gz
        ${path%??} → /usr/local/lib/x.tar.
        ${path##*} →
        ${path#*} → /usr/local/lib/x.tar.gz
        ${star#a\\*} → b?c
        ${star%\\?c} → a*b
        ${star#a\\x} → !
        ${zz#x} →
        ${rep/X/-} → a-bXc
        ${rep//X/-} → a-b-c
        ${rep//X/} → abc
        ${rep/X/$b} → atwobXc
        ${rep/z/-} → aXbXc
        ${rep/X*/-} → a-
        ${rep//?/-} → -----
        ${rep/*/-} → -
        ${path//\\//_} → _usr_local_lib_x.tar.gz
        ${rep/X} → !
        ${rep/X/ → !
        ${rep///-} → -a-X-b-X-c-
        ${nl#*d} → ab\u{2424}cd
        "${zz:-a b}" → a b
        "${a:+$b}" → two
        $sp → x y
        <<a → <<a
        """

    @Test("expansion", arguments: table.split(separator: "\n").map(String.init))
    func expansion(_ line: String) throws {
        let arrow = try #require(line.firstRange(of: " →"))
        let input = String(line[..<arrow.lowerBound])
        let output = String(line[arrow.upperBound...].drop { $0 == " " })
        let expander = WordExpander()
        if output == "!" {
            #expect(throws: DockerfileError.self) { try expander.expand(input) { Self.variables[$0] } }
        } else {
            let wanted = output.replacing("\u{2424}", with: "\n")
            #expect(try expander.expand(input) { Self.variables[$0] } == wanted)
        }
    }

    @Test("messages of ${v?w}")
    func required() {
        func message(_ word: String) -> String? {
            do {
                _ = try WordExpander().expand(word) { Self.variables[$0] }
                return nil
            } catch {
                return error.summary
            }
        }
        #expect(message("${zz?}") == "cannot expand '${zz?}': zz: is not allowed to be unset")
        #expect(message("${e:?}") == "cannot expand '${e:?}': e: is not allowed to be empty")
        #expect(message("${zz:?set it, $a}") == "cannot expand '${zz:?set it, $a}': zz: set it, one")
    }

    @Test(
        "splitting",
        arguments: [
            ("$sp z", ["x", "y", "z"]), ("\"$sp\" z", ["x y", "z"]), ("a$sp", ["ax", "y"]), ("", []), ("''", []),
            ("a\\ b c", ["a b", "c"]), ("${zz:-1 2}", ["1", "2"]), ("8${zz:-0}", ["80"]), ("  a  ", ["a"]),
        ])
    func splitting(_ text: String, _ words: [String]) throws {
        #expect(try WordExpander().expandToWords(text) { Self.variables[$0] } == words)
    }

    @Test("backtick escapes instead of backslash")
    func backtick() throws {
        let expander = WordExpander(escape: .backtick)
        #expect(try expander.expand("`$a C:\\x `` \"`\"q\"") { Self.variables[$0] } == "$a C:\\x ` \"q")
    }

    @Test("what was asked for is told, each once")
    func usage() throws {
        let expansion = try WordExpander().expansion(of: "$a $zz ${yy:-$zz} $a") { Self.variables[$0] }
        #expect(expansion.matched == ["a"])
        #expect(expansion.unmatched == ["zz", "yy"])
    }

    @Test("nesting is bounded")
    func nesting() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "${x:-", count: depth) + "v" + String(repeating: "}", count: depth)
        }
        #expect(try WordExpander().expand(nested(90)) { _ in nil } == "v")
        for depth in [200, 100_000] {
            #expect(throws: DockerfileError.self) { try WordExpander().expand(nested(depth)) { _ in nil } }
        }
        #expect(throws: DockerfileError.self) {
            try WordExpander().expand(String(repeating: "\"${x:-", count: 50_000)) { _ in nil }
        }
    }

    @Test("results and patterns are bounded")
    func bounds() {
        let big = String(repeating: "a", count: 1 << 18 + 1 << 17)
        for word in ["$v$v$v$v", "\"$v$v$v$v\"", "${v//a/aaaa}", "${v//*a*a*a*a*b/x}", "${v%%*a*a*a*a*a*a*b}"] {
            // Finishing is what counts, whatever the outcome.
            let result = try? WordExpander().expand(word) { _ in big }
            #expect((result ?? "").utf8.count <= WordExpander.resultLimit)
        }
    }

    @Test("heredoc bodies: quotes stay, backslash always escapes")
    func heredocs() throws {
        let body = "a='$a' \"${b}\" \\$a x\\ny ${zz:-\"d\"}\n"
        let (content, unmatched) = try WordExpander(escape: .backtick).expandHeredoc(Array(body.utf8)) {
            Self.variables[$0]
        }
        #expect(String(decoding: content, as: UTF8.self) == "a='one' \"two\" $a xny \"d\"\n")
        #expect(unmatched == ["zz"])
    }
}
