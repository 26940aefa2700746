import Diagnostics
import Foundation
import TestSupport
import Testing

@testable import Template

/// golden.json holds what Go's text/template with sprig (HermeticTxtFuncMap) makes of the same templates over the same data:
/// the text, or that there is an error.
@Suite(.tags(.unit))
struct TemplateTests {
    struct Row: Decodable, CustomTestStringConvertible {
        let template: String
        let output: String
        let error: String

        enum CodingKeys: String, CodingKey {
            case template = "Template"
            case output = "Output"
            case error = "Error"
        }

        var testDescription: String { template }
    }

    static let rows: [Row] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("golden.json")
        return (try? JSONDecoder().decode([Row].self, from: Data(contentsOf: file))) ?? []
    }()

    static let root: TemplateValue = {
        func change(_ old: String, _ new: String, _ setter: String) -> TemplateValue {
            .object([("OldValue", .string(old)), ("NewValue", .string(new)), ("Setter", .string(setter))])
        }
        func object(_ kind: String, _ namespace: String, _ name: String) -> TemplateValue {
            .object([
                ("APIVersion", .string("apps/v1")), ("Kind", .string(kind)), ("Name", .string(name)),
                ("Namespace", .string(namespace)),
            ])
        }
        let web = [
            change("acme/web:1.0.0", "acme/web:1.1.0", "flux-system:web"), change("1.0", "1.1", "flux-system:side:tag"),
        ]
        let api = [change("acme/api:v1", "acme/api:v2", "flux-system:api")]
        let objects: [TemplateValue.Entry] = [
            .init(object("Deployment", "default", "web"), .list(web)),
            .init(object("StatefulSet", "prod", "api"), .list(api)),
        ]
        return .object([
            (
                "AutomationObject",
                .object(
                    text: "flux-system/updates", [("Namespace", .string("flux-system")), ("Name", .string("updates"))])
            ),
            (
                "Changed",
                .object([
                    (
                        "FileChanges",
                        .map(["apps/web.yaml": .map([objects[0]]), "apps/api.yaml": .map([objects[1]])])
                    ), ("Objects", .map(objects)), ("Changes", .list(api + web)),
                ])
            ), ("Values", .map(["cluster": .string("prod-eu"), "team": .string("web")])), ("N", .integer(7)),
            ("T", .bool(true)), ("F", .bool(false)),
            ("L", .list(["b", "a", "c", "a"].map { .string($0) })), ("E", .list([])), ("S", .string("Hello, wörld")),
        ])
    }()

    @Test func `the golden file is there`() { #expect(Self.rows.count > 50) }

    @Test(arguments: rows) func `templates give what Go gives`(_ row: Row) {
        let result = Result { try Template(row.template, name: "message").render(Self.root) }
        switch result {
        case .success(let text):
            #expect(row.error.isEmpty, "Go refuses it: \(row.error)")
            #expect(text == row.output)
        case .failure(let error):
            #expect(!row.error.isEmpty, "\(error)")
            let place = (error as? TemplateError)?.place ?? ""
            #expect(place.hasPrefix("message"), "\(error)")
        }
    }

    @Test(arguments: [
        ("{{ define \"x\" }}y{{ end }}", "message:1:1", "'{{ define }}' is not supported"),
        ("a\n{{ env \"HOME\" }}", "message:2:4", "'env' is not known"),
        ("{{ now }}", "message:1:4", "'now' is not known"),
        ("x {{ 1.5 }}", "message:1:6", "'1.5' is not a whole number"),
        ("{{ .Updated.Nope }}", "message:1:4", "there is no value '.Updated' here"),
    ]) func `what is left out is refused with its place`(_ text: String, _ place: String, _ words: String) {
        let error = #expect(throws: TemplateError.self) { try Template(text, name: "message").render(Self.root) }
        #expect(error?.place == place)
        #expect(error?.summary.contains(words) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test(arguments: [
        #"{{ repeat 1000000000 "abc" }}"#, #"{{ range 9223372036854775807 }}x{{ end }}"#,
        "{{ range 1000 }}{{ range 1000 }}{{ range 1000 }}x{{ end }}{{ end }}{{ end }}",
        #"{{ $x := "aaaaaaaa" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}"#,
        #"{{ $x := "a" }}{{ range 60 }}{{ $x = $x | replace "a" "aa" }}{{ end }}"#,
        #"{{ $l := list 1 2 }}{{ range 60 }}{{ $l = list $l $l }}{{ end }}{{ $l }}"#,
        #"{{ printf "%99999999d" 1 }}"#, #"{{ indent 99999999 "a" }}"#, "{{ mul 9223372036854775807 2 }}",
        "{{ div -9223372036854775807 0 }}",
        #"{{ substr -9223372036854775807 9223372036854775807 "abc" }}{{ index .L -1 }}"#,
        String(repeating: "{{ if .T }}", count: 5000), String(repeating: "(", count: 5000),
        "{{ " + String(repeating: "(", count: 5000) + " }}", String(repeating: "x", count: 70_000),
    ]) func `hostile templates end in bounded time`(_ text: String) {
        let result = Result { try Template(text, name: "message").render(Self.root) }
        if case .success(let output) = result { #expect(output.utf8.count <= Template.outputLimit) }
    }

    @Test func `the text before the first action`() throws {
        #expect(try Template("slipway/{{ .N }}-x", name: "b").literalPrefix == "slipway/")
        #expect(try Template("{{ .N }}", name: "b").literalPrefix == "")
        #expect(try Template("plain", name: "b").isLiteral)
        #expect(try !Template("p{{ .N }}", name: "b").isLiteral)
    }
}
