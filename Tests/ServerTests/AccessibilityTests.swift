import Foundation
import TestSupport
import Testing

@testable import Agent
@testable import Server

/// axe's rules (WCAG 2.1 A and AA, and its best practices) on every page, in Chromium: at two widths, light and dark, with every form and
/// fold open.
@Suite(.tags(.integration), .thorough) struct AccessibilityTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test(.timeLimit(.minutes(5)), arguments: ["light", "dark"]) func `no page keeps anybody out`(
        _ scheme: String
    ) async throws {
        let bench = try await PageBench { settings, directory in
            try Data("token\n".utf8).write(to: URL(fileURLWithPath: directory + "/token"))
            settings.tokenFile = directory + "/token"
        }
        let pages = try PageGallery.fill(bench.agent)
        let folder = try TemporaryDirectory("axe")
        for (name, path) in pages {
            let page = try await bench.page(path)
            try Self.prepared(page).write(toFile: folder.file("\(name).html"), atomically: true, encoding: .utf8)
        }
        await bench.stop()
        try Data(Asset.styleSheet.bytes).write(to: URL(fileURLWithPath: folder.file("slipway.css")))
        try FileManager.default.copyItem(atPath: try Self.axe(), toPath: folder.file("axe.min.js"))
        try Self.driver(pages.map(\.0)).write(toFile: folder.file("driver.html"), atomically: true, encoding: .utf8)
        let result = try await Self.browse(folder.file("driver.html"), isDark: scheme == "dark")
        let found = try #require(result.firstRange(of: "<pre id=\"found\">"), "\(result.suffix(2_000))")
        let text = result[found.upperBound...].prefix { $0 != "<" }
        let looks = text.split(separator: "\n")
        // Each page at each width was looked at, by more than a handful of rules.
        #expect(looks.count == pages.count * 2, "\(text.suffix(2_000))")
        for look in looks { #expect(look.hasSuffix(": nothing"), "\(look)") }
    }

    /// The page with its own style sheet, and axe in place of its script.
    private static func prepared(_ page: String) -> String {
        page.replacing("/\(Asset.styleSheet.name)", with: "slipway.css")
            .replacing(
                "<script src=\"/\(Asset.script.name)\" defer></script>", with: "<script src=\"axe.min.js\"></script>"
            )
            .replacing(
                "</body>",
                with: """
                    <script>
                    for (const fold of document.querySelectorAll('details')) fold.open = true;
                    const rules = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'], iframes: false };
                    addEventListener('load', () => axe.run(document, rules).then(
                        r => parent.postMessage(r.passes.length < 10 ? 'only ' + r.passes.length + ' rules passed' : r.violations.map(v =>
                            v.id + ' (' + v.nodes.slice(0, 2).map(n => n.html + ' ' + n.failureSummary).join(', ') + ')').join('; ') || 'nothing', '*'),
                        e => parent.postMessage('' + e, '*')));
                    </script></body>
                    """)
    }

    /// Shows one page after another, each at both widths, and gathers what axe says.
    private static func driver(_ pages: [String]) -> String {
        let list = pages.map { "'\($0)'" }.joined(separator: ",")
        return """
            <!doctype html><meta charset="utf-8"><title>axe</title><pre id="found"></pre><script>
            const looks = [\(list)].flatMap(page => [390, 1280].map(width => ({ page, width })));
            const found = document.getElementById('found');
            const next = () => {
                const look = looks.shift();
                if (!look) return;
                const frame = document.createElement('iframe');
                frame.width = look.width; frame.height = 900; frame.src = look.page + '.html';
                document.body.append(frame);
                onmessage = event => {
                    found.append(look.page + ' at ' + look.width + ': ' + event.data.replaceAll('\\n', ' ').replaceAll('<', '[') + '\\n');
                    frame.remove();
                    next();
                };
            };
            next();
            </script>
            """
    }

    private static func axe() throws -> String {
        let library = root.appending(path: ".build-venv/lib")
        let versions = try FileManager.default.contentsOfDirectory(atPath: library.path).filter {
            $0.hasPrefix("python")
        }
        let version = try #require(versions.first)
        return library.appending(path: "\(version)/site-packages/axe_core_python/axe.min.js").path
    }

    private static func browse(_ file: String, isDark: Bool) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result {
                        let profile = try TemporaryDirectory("chromium")
                        return try Shell.run(
                            [
                                "chromium", "--headless", "--no-sandbox", "--disable-gpu",
                                "--user-data-dir=\(profile.path)",
                                "--allow-file-access-from-files", "--window-size=1400,1000",
                            ] + (isDark ? ["--blink-settings=preferredColorScheme=0"] : [])
                                + ["--virtual-time-budget=120000", "--dump-dom", "file://\(file)"]
                        ).stdout
                    })
            }
        }
    }
}
