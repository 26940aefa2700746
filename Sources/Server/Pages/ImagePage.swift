import Agent
import OCI
import Text

/// One image: what it was made from, where it runs as git says, and its layers.
struct ImagePage: Sendable {
    let overview: AgentOverview
    let image: ImageDetails
    /// What the cluster runs; `nil` where the agent has to do with none.
    let running: RunningWorkloads?
    let clock: PageClock

    /// - Parameter repository: of the agent's, whose builds are looked through for it.
    static func page(_ digest: String, of repository: String) -> Address {
        .page(["images", digest], query: [("repository", repository)])
    }

    /// The first name with its tag, by its last component.
    private var title: String {
        image.references.first.map { String($0.split(separator: "/").last ?? "") } ?? String(image.digest.prefix(19))
    }

    func document() -> HTMLDocument {
        let path = [
            PageFrame.Crumb(text: image.repository, address: FleetPage.page(image.repository)),
            PageFrame.Crumb(text: image.pipeline, address: nil), PageFrame.Crumb(text: title, address: nil),
        ]
        return PageFrame(overview: overview, clock: clock).document(title, path: path) {
            Tag.div(.class("head")) {
                Tag.h1 { title }
                Tag.span(.class("mute")) {
                    image.places.isEmpty ? "runs nowhere" : "runs in \(counted(image.places.count, "place", "places"))"
                }
            }
            facts
            places
            LayerTable(image: image).html
        }
    }

    private var facts: HTML {
        Tag.section(.class("card"), .label("Facts")) {
            Tag.dl(.class("facts")) {
                Fact("Digest", isWide: true) {
                    Tag.span(.class("m")) { image.digest }
                    CopyButton.html(image.digest, what: "digest")
                }.html
                Fact("Names", isWide: true) {
                    if image.references.isEmpty { "–" }
                    for name in image.references {
                        Tag.div(.class("m")) {
                            name
                            CopyButton.html("\(name)@\(image.digest)", what: "reference")
                        }
                    }
                }.html
                Fact("Commit") { CommitText.html(image.build?.description.revision) }.html
                Fact("Made by") { maker }.html
                Fact("Size") { size }.html
                if let facts = image.build?.facts { about(facts) }
            }
        }
    }

    @HTMLBuilder private func about(_ facts: BuildRecord.ImageFacts) -> HTML {
        Fact("Platforms") { Tag.span(.class("m")) { facts.platforms.joined(separator: ", ") } }.html
        Fact("Base", isWide: true) {
            if let base = facts.base {
                Tag.span(.class("m")) { base.name }
                " "
                DigestText.html(base.digest)
            } else {
                "scratch"
            }
        }.html
        Fact("Entry point") { words(facts.entrypoint) }.html
        Fact("Command") { words(facts.command) }.html
        Fact("User") { facts.user ?? "root" }.html
        if let directory = facts.workingDirectory { Fact("Directory") { Tag.span(.class("m")) { directory } }.html }
        if !facts.ports.isEmpty { Fact("Ports") { facts.ports.joined(separator: ", ") }.html }
    }

    @HTMLBuilder private func words(_ words: [String]) -> HTML {
        if words.isEmpty { "–" } else { Tag.span(.class("m")) { printable(words.joined(separator: " "), limit: 500) } }
    }

    @HTMLBuilder private var maker: HTML {
        if let build = image.build {
            Tag.a(.href(BuildPage.page(build.id))) { "build \(build.id.description)" }
            " "
            BuildPage.times(build, clock)
        } else {
            "a build that is no longer kept, or another name for an image that was there"
        }
    }

    private var size: String {
        let layers = image.build?.layers ?? []
        guard !layers.isEmpty else { return "–" }
        let total = layers.reduce(Int64(0)) { $0.addingReportingOverflow($1.size).partialValue }
        return "\(BuildPage.size(total)) compressed, \(counted(layers.count, "layer", "layers"))"
    }

    private var places: HTML {
        Tag.section(.labelled(by: "h-where")) {
            Tag.div(.class("h")) {
                Tag.h2(.id("h-where")) { "Where it runs" }
                Tag.span(.class("s")) { "by the manifests in git" + (running == nil ? "" : ", and by the cluster") }
            }
            ClusterNote.html(running, clock)
            if image.places.isEmpty {
                Tag.p(.class("card mute")) {
                    "No manifest of the watched repositories has this image. Annotate a workload with "
                    Tag.code { "slipway.dev/automated: \"true\"" }
                    " to have the agent write it there."
                }
            } else {
                table
            }
        }
    }

    private var table: HTML {
        Tag.table(.class("c"), .role("table"), .labelled(by: "h-where")) {
            TableHead(["Workload", "Repository", "Place", "Written as"]).html
            Tag.tbody(.role("rowgroup")) {
                for place in image.places {
                    Tag.tr(.role("row")) {
                        Tag.th(.role("rowheader"), .scope("row"), .class("first")) {
                            "\(place.workload) "
                            Tag.span(.class("mute")) { place.container }
                        }
                        Tag.td(.role("cell"), .cellLabel("Repository")) {
                            Tag.a(.href(FleetPage.page(place.repository))) { place.repository }
                        }
                        Tag.td(.role("cell"), .cellLabel("Place"), .class("m")) {
                            Tag.a(.href(PolicyPage.page(place.repository, "\(place.file):\(place.line)"))) {
                                "\(place.file):\(place.line)"
                            }
                        }
                        Tag.td(.role("cell"), .cellLabel("Written as"), .class("m s")) {
                            place.image
                            ClusterNote.cell(running, container: place.container, of: place.workload, git: place.image)
                        }
                    }
                }
            }
        }
    }
}

/// The layers of an image with their share of its size.
private struct LayerTable {
    let image: ImageDetails

    @HTMLBuilder var html: HTML {
        if let build = image.build, !build.layers.isEmpty {
            let total = max(1, build.layers.reduce(Int64(0)) { $0.addingReportingOverflow($1.size).partialValue })
            Tag.section(.labelled(by: "h-layers")) {
                Tag.h2(.id("h-layers")) { "Layers" }
                Tag.table(.class("c"), .role("table"), .labelled(by: "h-layers")) {
                    TableHead(["Made by", "Origin", "Digest", "Size", "Share"]).html
                    Tag.tbody(.role("rowgroup")) {
                        for layer in build.layers.prefix(500) { row(layer, of: total) }
                    }
                }
            }
        }
    }

    private func row(_ layer: CycleReport.Layer, of total: Int64) -> HTML {
        Tag.tr(.role("row")) {
            Tag.th(.role("rowheader"), .scope("row"), .class("first m")) {
                printable(layer.createdBy ?? "the base", limit: 200)
            }
            Tag.td(.role("cell"), .cellLabel("Origin")) { layer.origin ?? "–" }
            Tag.td(.role("cell"), .cellLabel("Digest")) { DigestText.html(layer.digest) }
            Tag.td(.role("cell"), .cellLabel("Size"), .class("nw")) { BuildPage.size(layer.size) }
            Tag.td(.role("cell"), .cellLabel("Share")) {
                Tag.svg(.class("bar"), .hidden) {
                    Tag.rect(.class("t"), .width(100))
                    Tag.rect(.class("ok"), .width(Double(layer.size) / Double(total) * 100))
                }
            }
        }
    }
}
