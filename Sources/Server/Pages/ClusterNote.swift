import Agent
import OCI
import Text

/// What the cluster really runs, beside what git says.
enum ClusterNote {
    /// How old it is, and why it is not known.
    @HTMLBuilder static func html(_ running: RunningWorkloads?, _ clock: PageClock) -> HTML {
        if let running {
            Tag.p(.class("s mute pad")) {
                if let problem = running.problem {
                    "The cluster cannot be read: \(printable(problem, limit: 500)). "
                }
                if let at = running.at {
                    "What the cluster runs was read "
                    clock.moment(at)
                    "."
                } else if running.problem == nil {
                    "The cluster is being read: reload the page in a moment."
                }
            }
        }
    }

    /// Whether both name one image, however they are spelled: `docker.io/library/x:1` and `x:1`, `x` and `x:latest`.
    static func isSame(_ image: String, _ git: String?) -> Bool {
        guard let git, image != git else { return image == git }
        guard let one = try? Reference(image), let other = try? Reference(git) else { return false }
        return one.withDefaultTag == other.withDefaultTag
    }

    /// - Parameters:
    ///   - workload: `NAMESPACE:KIND/NAME`.
    ///   - git: the image as the manifest says.
    @HTMLBuilder static func cell(
        _ running: RunningWorkloads?, container: String, of workload: String, git: String?
    ) -> HTML {
        if let running, running.at != nil {
            Tag.span(.class("s")) {
                if let found = running.workloads.first(where: { $0.id == workload }),
                    let image = found.containers.first(where: { $0.name == container })?.image
                {
                    let isSame = Self.isSame(image, git)
                    Tag.span(isSame ? nil : .class("stalled b"), .title(image)) {
                        isSame ? "the cluster: the same" : "the cluster: \(ReferenceText.short(image))"
                    }
                    ", \(found.ready) of \(found.wanted) ready"
                } else {
                    "not in the cluster"
                }
            }
        }
    }
}
