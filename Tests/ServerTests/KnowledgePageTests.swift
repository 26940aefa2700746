import Foundation
import HTTP
import TestSupport
import Testing

@testable import Agent

/// The pages of images and policies.
@Suite(.tags(.integration)) struct KnowledgePageTests {
    private static let digest = "sha256:" + String(repeating: "b3894cce", count: 8)

    private static func explanation(_ change: (inout [String: Any]) -> Void = { _ in }) throws -> Explanation {
        var object: [String: Any] = [
            "subject": "deploy/web.yaml:14 shop:deployment/web app", "state": "update",
            "reason": "the highest of 2 versions in '1.x'", "policy": "semver:1.x",
            "decidedBy": "the annotations of shop:deployment/web, deploy/web.yaml",
            "repository": "registry.example.com/acme/web", "current": "registry.example.com/acme/web:1.0.0",
            "chosen": "registry.example.com/acme/web:1.1.0", "tagCount": 3,
            "outcomes": ["selected": 1, "eligible": 1, "refused": 1],
            "tags": [
                [
                    "tag": "1.1.0", "outcome": "selected", "reason": "the highest", "created": 1_700_000_000,
                    "digest": digest,
                ],
                ["tag": "1.0.0", "outcome": "eligible", "reason": "1.1.0 comes before it"],
                ["tag": "main", "outcome": "refused", "reason": "not a version"],
            ],
        ]
        change(&object)
        return try JSONDecoder().decode(Explanation.self, from: try JSONSerialization.data(withJSONObject: object))
    }

    private static let address = "/repositories/shop/policies/deploy%2Fweb.yaml%3A14"

    @Test func `a policy's page tells who decides, what was considered and why`() async throws {
        let bench = try await PageBench()
        bench.agent.show(explanations: [try Self.explanation()])
        let page = try await bench.page(Self.address)
        #expect(bench.agent.asked == ["explain shop deploy/web.yaml:14 - -"])
        for text in [
            "<h1>Policy of shop:deployment/web app</h1>", "semver:1.x", "1.1.0 comes before it", "not a version",
            ">selected",
            "the annotations of shop:deployment/web, deploy/web.yaml", "3 tags", "not read", "value=\"1.0.0\"",
            "title=\"\(Self.digest)\"",
        ] { #expect(page.contains(text), "\(text)") }
        let refused = try await bench.page(Self.address + "?verdict=refused")
        #expect(refused.contains("not a version") && !refused.contains("1.1.0 comes before it"))
        #expect(refused.contains("href=\"?verdict=eligible\""))
        await bench.stop()
    }

    @Test func `another policy is tried, and changes nothing`() async throws {
        let bench = try await PageBench()
        let explanation = try Self.explanation {
            $0["trial"] = ["policy": "glob:<b>*", "current": "main", "chosen": "main", "reason": "the newest"]
        }
        bench.agent.show(explanations: [explanation])
        let page = try await bench.page(Self.address + "?policy=glob%3A%3Cb%3E*&current=main&verdict=refused")
        #expect(bench.agent.asked == ["explain shop deploy/web.yaml:14 glob:<b>* main"])
        #expect(page.contains("&#39;glob:&lt;b&gt;*&#39; chooses main: the newest"))
        // What is tried stays while the tags are narrowed.
        #expect(page.contains("href=\"?policy=glob%3A%3Cb%3E%2A&amp;current=main&amp;verdict=eligible\""), "\(page)")
        await bench.stop()
    }

    @Test func `a place that is not there, and one without a policy, say what to do`() async throws {
        let bench = try await PageBench()
        bench.agent.show(explanations: [])
        #expect(try await bench.get(Self.address).status == 404)
        let plain = try Self.explanation { object in
            for key in ["policy", "tags", "outcomes", "chosen"] { object[key] = key == "tags" ? [Any]() : nil }
            object["tagCount"] = 0
            object["state"] = "left"
        }
        bench.agent.show(explanations: [plain])
        let page = try await bench.page(Self.address)
        #expect(page.contains("Annotate the workload, or mark the image.") && !page.contains("Try another policy"))
        await bench.stop()
    }

    @Test func `many tags have pages`() async throws {
        let bench = try await PageBench()
        let explanation = try Self.explanation {
            $0["tags"] = (0..<250).map { ["tag": "t\($0)", "outcome": "refused", "reason": "no"] }
        }
        bench.agent.show(explanations: [explanation])
        for (query, count, rest) in [
            ("", 100, "The next 100 tags"), ("?page=2", 100, "The next 50 tags"), ("?page=3", 50, nil),
        ]
            as [(String, Int, String?)]
        {
            let page = try await bench.page(Self.address + query)
            #expect(page.components(separatedBy: "<tr role=\"row\"><th role=\"rowheader\"").count - 1 == count)
            #expect(page.contains("The next") == (rest != nil) && page.contains(rest ?? "<table"))
        }
        for wrong in ["?page=0", "?page=-1", "?page=9223372036854775807", "?page=x", "?verdict=x"] {
            #expect(try await bench.get(Self.address + wrong).status == 200, "\(wrong)")
        }
        await bench.stop()
    }

    @Test func `an image's page tells what made it and where it runs`() async throws {
        let bench = try await PageBench()
        var image = ImageDetails(
            digest: Self.digest, references: ["registry.example.com/acme/shop:v47"], repository: "shop", pipeline: "web"
        )
        let build = try PageFixtures.build(1, .succeeded) { build in
            build.digest = Self.digest
            build.layers = [
                CycleReport.Layer(digest: "sha256:aa", size: 30_000_000, origin: "base"),
                CycleReport.Layer(digest: "sha256:bb", size: 10_000_000, createdBy: "COPY . /srv"),
            ]
        }
        var facts = BuildRecord.ImageFacts()
        facts.platforms = ["linux/arm64"]
        facts.base = .init(name: "docker.io/library/busybox:1.0", digest: "sha256:ba5e")
        facts.entrypoint = ["/bin/shop"]
        facts.command = ["--port", "80"]
        facts.ports = ["80/tcp"]
        image.build = build
        image.build?.facts = facts
        image.places = [
            ImageDetails.Place(
                repository: "shop", workload: "shop:deployment/web", container: "app", file: "deploy/web.yaml",
                line: 14,
                image: "registry.example.com/acme/shop:v47")
        ]
        bench.agent.show(image)
        let page = try await bench.page("/images/\(Self.digest)?repository=shop")
        #expect(bench.agent.asked == ["image \(Self.digest) shop"])
        for text in [
            "<h1>shop:v47</h1>", "runs in 1 place", "by the manifests in git", "href=\"/builds/\(build.id)\"",
            "href=\"/repositories/shop/policies/deploy%2Fweb.yaml%3A14\"", "40.0 MB compressed, 2 layers",
            "COPY . /srv", "linux/arm64", "docker.io/library/busybox:1.0", "sha256:ba5e…", "/bin/shop", "--port 80",
            "80/tcp",
            "<td role=\"cell\" data-l=\"Origin\">base</td>", "<dd>root</dd>",
            "width=\"75.0%\"",
        ] { #expect(page.contains(text), "\(text)") }
        image.places = []
        image.build = nil
        bench.agent.show(image)
        let bare = try await bench.page("/images/\(Self.digest)")
        #expect(bare.contains("No manifest of the watched repositories has this image."))
        #expect(bare.contains("a build that is no longer kept"))
        await bench.stop()
    }

    @Test func `pages lead to images and policies`() async throws {
        let bench = try await PageBench()
        bench.agent.show([
            PageFixtures.status("shop", .ok) { status in
                status.lastImages = [
                    CycleReport.Image(
                        pipeline: "web", references: ["registry.example.com/acme/shop:v47"], digest: Self.digest,
                        layers: [],
                        built: true, seconds: 1)
                ]
            }
        ])
        var report = CycleReport(repository: "shop", url: "u", branch: "main")
        report.decisions = [
            CycleReport.Decision(subject: "deploy/web.yaml:14 shop:deployment/web app", reason: "it is the newest"),
            CycleReport.Decision(subject: "updates", reason: "turned off"),
        ]
        bench.agent.show(report)
        let build = try PageFixtures.build(1, .succeeded) { $0.digest = Self.digest }
        bench.agent.show([build], log: "")
        let image = "href=\"/images/\(Self.digest.replacing(":", with: "%3A"))?repository=shop\""
        for path in ["/", "/repositories/shop", "/builds/\(build.id)"] {
            #expect(try await bench.page(path).contains(image), "\(path)")
        }
        #expect(try await bench.page("/repositories/shop").contains("href=\"\(Self.address)\""))
        await bench.stop()
    }
}
