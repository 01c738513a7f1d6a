#!/bin/sh
# Lets this machine of Enterprise Linux find packages where its environment serves them, if it serves any for this release.
set -eu
. /etc/os-release
gateway=$(ip -4 route show default | awk '{ print $3; exit }')
url="http://$gateway:8585/el${VERSION_ID%%.*}/"
if ! curl --silent --fail --noproxy '*' --output /dev/null "${url}repodata/repomd.xml"; then
    echo "no packages are served at $url; this machine has to do with what it has"
    exit 0
fi
cat >/etc/yum.repos.d/environment.repo <<REPO
[environment]
name=What the environment serves
baseurl=$url
gpgcheck=0
proxy=
REPO
