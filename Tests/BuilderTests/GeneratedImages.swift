import Foundation
import TestSupport

/// What other tools make of a layout that is full of our images: skopeo takes all of them, every digest counted again; buildah
/// and umoci unpack, and crun runs, one in so many.
struct GeneratedImages {
    let layout: String
    let directory: String
    /// One in so many is unpacked.
    var stride = 16

    /// - Parameter tags: `g` and a number.
    /// - Returns: what went wrong, in the tools' words; and how many images were copied, pulled, unpacked and run.
    func read(_ tags: [String]) throws -> (problems: [String], counts: [String: Int]) {
        let files = FileManager.default
        try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data(#"{"default":[{"type":"insecureAcceptAnything"}]}"#.utf8).write(
            to: URL(fileURLWithPath: directory + "/policy.json"))
        try Data(Self.script.utf8).write(to: URL(fileURLWithPath: directory + "/read.sh"))
        let lanes = 2
        try Data((0..<lanes).map { "\($0)\n" }.joined().utf8).write(to: URL(fileURLWithPath: directory + "/lanes"))
        for lane in 0..<lanes {
            let mine = tags.enumerated().filter { $0.offset % lanes == lane }.map { $0.element + "\n" }
            try Data(mine.joined().utf8).write(to: URL(fileURLWithPath: "\(directory)/lane-\(lane)"))
        }
        let output = try Shell.run([
            "bash", "-c",
            "cd \(directory) && xargs -P \(lanes) -I LANE bash read.sh LANE '\(layout)' \(stride) < lanes",
        ]).stdout
        var problems: [String] = []
        var counts: [String: Int] = [:]
        for line in output.split(separator: "\n").map(String.init) {
            if line.hasPrefix("ok ") {
                counts[String(line.dropFirst(3)), default: 0] += 1
            } else {
                problems.append(line)
            }
        }
        return (problems, counts)
    }

    /// Lines `ok TOOL`, and others for what failed.
    private static let script = #"""
        lane=$1 layout=$2 stride=$3
        storage="--root $PWD/storage-$lane --runroot $PWD/run-$lane --storage-driver vfs"
        # buildah makes a name of the path, and wants it in small letters.
        short=/tmp/slipway-read-$$ && ln -s "$layout" $short
        rootless=$([ $(id -u) = 0 ] || echo --rootless)
        try() {
            name=$1; shift
            if "$@" > said-$lane 2>&1; then echo "ok $name"; else echo "$name, $tag: $(tail -2 said-$lane | tr '\n' ' ')"; false; fi
        }
        while read tag; do
            try skopeo skopeo copy -q --policy policy.json oci:$layout:$tag oci:copies-$lane:$tag
            [ $(( ${tag#g} % stride )) = 0 ] || continue
            try buildah buildah $storage pull -q --signature-policy policy.json oci:$short:$tag
            try umoci umoci unpack $rootless --image $layout:$tag bundle-$lane || continue
            if [ -x bundle-$lane/rootfs/bin/busybox ] && [ -z "$rootless" ]; then
                python3 - bundle-$lane/config.json <<'E'
        import json, sys
        config = json.load(open(sys.argv[1]))
        config['process']['args'] = ['/bin/busybox', 'sh', '-c', 'pwd && echo ran']
        config['process']['terminal'] = False
        config['linux'].pop('resources', None)
        json.dump(config, open(sys.argv[1], 'w'))
        E
                # crun wants one cgroup hierarchy; where the machine has the hybrid kind, it gets a namespace with that one.
                try crun unshare -m sh -c 'if [ -d /sys/fs/cgroup/unified ]; then umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; fi
                    exec crun "$@"' sh --root $PWD/crun --cgroup-manager disabled run --bundle bundle-$lane generated-$$-$tag
                grep -q ran said-$lane || echo "crun, $tag: $(cat said-$lane)"
            fi
            chmod -R u+rwX bundle-$lane; rm -rf bundle-$lane
        done < lane-$lane
        chmod -R u+rwX storage-$lane 2>/dev/null; rm -rf storage-$lane $short
        """#
}
