import Foundation
import TestSupport

/// An image of the files of Debian packages that are installed here, with all that they depend on.
enum DebianRoot {
    /// - Returns: the image's name; `nil` and a printed reason where a package is missing.
    static func image(of packages: [String], without patterns: [String] = [], in directory: String) throws -> String? {
        let missing = try packages.filter { package in
            let status = try Shell.run(["dpkg-query", "-W", "-f", "${Status}", package], allowFailure: true)
            return !status.stdout.contains("install ok installed")
        }
        guard missing.isEmpty else {
            print(
                "skipped: the packages \(missing.joined(separator: ", ")) are missing; scripts/install-deps.sh --test has them"
            )
            return nil
        }
        let all = packages + ["base-files", "dash", "coreutils", "sed", "grep", "diffutils", "libc-bin"]
        let left = (["^/usr/share/(doc|man|info|locale|lintian)/", "^/\\.$"] + patterns).map { "-e '\($0)'" }
        let script = """
            set -e
            cd \(directory)
            for package in \(all.joined(separator: " ")); do
                apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \\
                    --no-enhances $package
            done | grep '^[a-z]' | sort -u > names
            for name in $(cat names); do dpkg -L $name 2> /dev/null || true; done | sort -u | grep -Ev \(left.joined(separator: " ")) \\
                | while read -r path; do [ ! -e "$path" ] && [ ! -L "$path" ] || printf '%s\\n' "$path"; done > files
            # /tmp is among the files, and others change it meanwhile: tar then writes it all the same and exits with 1.
            tar --no-recursion --owner=0 --group=0 -C / -T files -cf root.tar 2> tar.errors || [ $? = 1 ] || { cat tar.errors >&2; exit 2; }
            """
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Shell.run(["bash", "-c", script])
        return try ImageFixtures.image(
            at: directory + "/image", tag: "latest", layerTars: [directory + "/root.tar"],
            config: ["Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["/bin/sh"]], isCompressed: false)
    }
}
