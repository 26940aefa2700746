import TestSupport
import Testing

@Suite(.tags(.unit)) struct HabitTests {
    private static let files = Result { try SourceTree().files }

    @Test func `no Foundation, no try!, nothing public`() throws {
        for file in try Self.files.get() {
            for (number, line) in SourceTree.code(file) {
                let place = "\(file.path):\(number)"
                #expect(SourceTree.imported(by: line) != "Foundation", "\(place): import FoundationEssentials")
                #expect(!line.contains("try!"), "\(place): try!")
                #expect(
                    !line.hasPrefix("public ") && !line.hasPrefix("open "),
                    "\(place): an application has no public parts")
                #expect(!line.contains("String(format:"), "\(place): String(format:) brings all of Foundation")
            }
        }
    }

    @Test func `an unchecked Sendable has its proof above it`() throws {
        for file in try Self.files.get() {
            for (number, line) in SourceTree.code(file) where line.contains("@unchecked Sendable") {
                let above = file.lines[max(0, number - 12)..<(number - 1)]
                #expect(
                    above.contains { $0.contains("//") && $0.contains("@unchecked Sendable") },
                    "\(file.path):\(number): say in a comment with '@unchecked Sendable' in it why it is safe")
            }
        }
    }

    @Test func `a file holds one idea`() throws {
        for file in try Self.files.get() {
            #expect(file.lines.count <= 600, "\(file.path) has \(file.lines.count) lines")
        }
    }

    // MARK: One of each

    /// What the project does in one place is not done in another.
    struct Habit: CustomTestStringConvertible, Sendable {
        let idea: String
        /// A regular expression over a line of code.
        let pattern: String
        /// Where it may be: files, or folders that end in `/`.
        let places: [String]

        var testDescription: String { idea }
    }

    static let habits = [
        Habit(
            idea: "civil dates", pattern: #"146_?097|\bgmtime_r\(|\btimegm\("#, places: ["Sources/Text/UTCDate.swift"]),
        Habit(
            idea: "starting a program", pattern: #"\bposix_spawnp?\(|\bexecve\("#,
            places: ["Sources/Blocking/SpawnedProcess.swift"]),
        Habit(
            idea: "hexadecimal text", pattern: #""0123456789(abcdef|ABCDEF)""#,
            places: ["Sources/Text/Hexadecimal.swift", "Sources/Text/PercentEncoding.swift"]),
        Habit(
            idea: "hashes by hand", pattern: "(?i)0x6745_?2301|0x6a09_?e667",
            places: []),
        Habit(
            idea: "edit distance", pattern: #"\bfunc \w*[dD]istance\(_ \w+: \["#,
            places: ["Sources/Diagnostics/EditDistance.swift"]),
        Habit(
            idea: "directories with those above them", pattern: #"\bmkdir\((made|prefix|parent)\b"#,
            places: ["Sources/FileSystem/"]),
        Habit(
            idea: "semaphores of threads", pattern: #"\bsem_(init|wait|post)\(|DispatchSemaphore\("#,
            places: ["Sources/Blocking/"]),
        Habit(
            idea: "threads", pattern: #"\bpthread_create\("#,
            places: ["Sources/Blocking/", "Sources/Builder/Mounts/AgentForward.swift"]),
        Habit(
            idea: "the process's environment, changed", pattern: #"\b(un)?setenv\("#,
            places: ["Sources/CommandLine/Invocation.swift", "Sources/Git/Library.swift"]),
    ]

    @Test(arguments: habits) func `each idea has one place`(habit: Habit) throws {
        let pattern = try Regex(habit.pattern)
        var strangers: [String] = []
        for file in try Self.files.get() {
            guard !habit.places.contains(where: { $0 == file.path || $0.hasSuffix("/") && file.path.hasPrefix($0) })
            else { continue }
            for line in SourceTree.code(file) where line.text.contains(pattern) {
                strangers.append("\(file.path):\(line.number): \(line.text)")
            }
        }
        #expect(strangers == [], "use \(habit.places.first ?? "a library")")
    }
}
